"""What is taken back is gone at once: whatever is wrong with contracts, and whatever is under way or open."""

from __future__ import annotations

from parking import CONTRACT, change, reload
from guarding import access, append, bearer, digest, rewrite, TOKENS
from oracle import ACCOUNTS
from rig.daemon import Daemon

MEND = 2
STRANGER = f"    stranger: {{ tokens: [ {{ sha256: {digest(TOKENS['stranger'])} }} ], grants: {{ append: [account] }} }}"


def test_a_token_is_taken_back_while_a_contract_is_broken(guarded: Daemon) -> None:
    rewrite(guarded, access(STRANGER))
    guarded.start()
    before = guarded.contract(ACCOUNTS)["fingerprint"]
    assert append(guarded, bearer("stranger")) == 201
    change(guarded, CONTRACT, "key: .accountId", "kee: .accountId")
    rewrite(guarded, access())
    done = guarded.run("reload")
    assert append(guarded, bearer("stranger")) == 401
    assert done.returncode == MEND, "it is a failure all the same"
    assert "access: taken up" in done.stderr and "contracts: not taken up" in done.stderr and "kee" in done.stderr, done.stderr
    rewrite(guarded, access(STRANGER))
    answer = guarded.operator("POST", "/reload", {})
    told = answer.json()
    assert answer.status == 422 and (told["takenUp"], told["refused"]) == (["access"], ["contracts"])
    assert any("kee" in error["message"] for error in told["errors"])
    assert append(guarded, bearer("stranger")) == 201
    loading = guarded.status()["loading"]
    assert loading["accessLoaded"] > loading["loaded"] and "kee" in loading["lastError"]["reason"]
    assert "did not take everything up" in guarded.run("status").stdout
    log = guarded.log.read_text()
    assert "principals, tokens, issuers and certificates are loaded again" in log and "kee" in log
    assert guarded.contract(ACCOUNTS)["fingerprint"] == before


def test_broken_access_changes_nothing_of_it_and_contracts_are_taken_up(guarded: Daemon) -> None:
    guarded.start()
    broken = "    broken: { tokens: [ { file: missing } ], grants: { operate: true } }"
    for version, section in (("1.0.1", access(STRANGER, broken)), ("1.0.2", access(STRANGER, "  nonsense: 1"))):
        change(guarded, CONTRACT, f"version: {guarded.contract(ACCOUNTS)['version']}", f"version: {version}")
        rewrite(guarded, section)
        done = guarded.run("reload")
        assert done.returncode == MEND, done.stderr
        assert "access: not taken up" in done.stderr and "contracts: taken up" in done.stderr, done.stderr
        assert guarded.contract(ACCOUNTS)["version"] == version
        assert append(guarded, bearer("stranger")) == 401 and append(guarded, bearer("payments")) == 201
    assert (guarded.operator("POST", "/reload", {}).json()["takenUp"]) == ["contracts"]
    rewrite(guarded, access(STRANGER))
    assert reload(guarded)["principals"] == 4
    assert guarded.status()["loading"]["lastError"] is None
