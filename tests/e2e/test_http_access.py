"""Who may do what over HTTP: tokens, client certificates, TLS, and that both change in a running daemon."""

from __future__ import annotations

import json
import re
import signal
import ssl
import subprocess
import threading
from pathlib import Path

import pytest
from authority import Authority, fingerprint
from facts import deposit
from guarding import TOKENS, access, append, bearer, digest, replace, rewrite, with_tls
from rig.daemon import Answer, Daemon, request
from rig.ports import free_ports
from rig.waiting import wait_until
from tokens import Issuer

MEND = 2


def refusals(daemon: Daemon) -> list[str]:
    """The log lines of refusals, without colours."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", daemon.log.read_text())
    return [line for line in text.splitlines() if "refused: not" in line]


def test_each_principal_may_do_what_it_is_granted_and_nothing_else(guarded: Daemon) -> None:
    guarded.start()
    assert append(guarded, bearer("payments")) == 201
    assert append(guarded, bearer("auditor")) == 403
    assert append(guarded, bearer("operators")) == 403
    assert append(guarded, bearer("payments"), "loan-1") == 403
    for name, expected in (("payments", 200), ("auditor", 200), ("operators", 403)):
        assert guarded.http("GET", "/streams/account-1", headers=bearer(name)).status == expected, name
    assert guarded.http("GET", "/log", headers=bearer("payments")).status == 403, "the whole log needs *"
    assert guarded.http("GET", "/log", headers=bearer("auditor")).status == 200
    operator = guarded.addresses()["operator"]
    for name, expected in (("payments", 403), ("auditor", 403), ("operators", 200)):
        assert request(operator, "GET", "/status", headers=bearer(name)).status == expected, name
        assert request(operator, "GET", "/no-such", headers=bearer(name)).status == (404 if expected == 200 else 403)
    assert request(operator, "POST", "/reload", b"{}", bearer("payments")).status == 403


def test_whatever_is_wrong_with_a_credential_gets_one_answer(guarded: Daemon) -> None:
    guarded.start()
    good = TOKENS["payments"]
    wrong = [{}, {"authorization": ""}, {"authorization": good}, {"authorization": f"Basic {good}"},
             {"authorization": f"Bearer {digest(good)}"}, {"authorization": f"Bearer {good[:-1]}"}, bearer("stranger"),
             {"authorization": "Bearer " + "x" * 20_000}, {"authorization": "Bearer a.b.c"}]
    answers = [guarded.http("GET", "/streams/account-1", headers=headers) for headers in wrong]
    answers.append(guarded.http("GET", "/nowhere", headers={}))
    answers.append(request(guarded.addresses()["operator"], "GET", "/status"))
    assert {answer.status for answer in answers} == {401}
    assert {answer.headers["www-authenticate"] for answer in answers} == {"Bearer"}
    assert len({answer.body for answer in answers}) == 1, "what is wrong is not told"
    for listener in ("http", "operator"):
        assert request(guarded.addresses()[listener], "GET", "/health").status == 200
        assert request(guarded.addresses()[listener], "GET", "/openapi.json").status != 401
        assert request(guarded.addresses()[listener], "POST", "/health", b"{}").status == 401


def test_every_refusal_is_audited_and_no_token_is_anywhere(guarded: Daemon) -> None:
    guarded.start()
    guarded.http("GET", "/streams/account-1?key=hush", headers=bearer("stranger"))
    append(guarded, bearer("auditor"))
    guarded.http("GET", "/streams/account-1", headers={})
    told = wait_until(lambda: len(refusals(guarded)) >= 3 and refusals(guarded), "three refusals are told", 10)
    for line, parts in zip(told, (['credential="token"', 'path="/streams/account-1"', 'listener="http"', "127.0.0.1:"],
                                  ['principal="auditor"', 'verb="append"', 'scope="category account"', 'method="POST"'],
                                  ['credential="none"'])):
        assert all(part in line for part in parts), (line, parts)
    assert guarded.operator("POST", "/reload", b"{}").status == 200
    wait_until(lambda: "an operator's order" in guarded.log.read_text(), "the order is told", 10)
    for _ in range(500):
        guarded.http("GET", "/log", headers=bearer("stranger"))
    refused = guarded.status()["access"]["refused"]
    assert refused["unauthenticated"] == 502 and refused["forbidden"] == 1
    assert len(refusals(guarded)) < 250, "a flood is told in part"
    log = guarded.log.read_text()
    assert not any(token in log or digest(token) in log for token in TOKENS.values()) and "hush" not in log


def test_a_reload_takes_other_principals_up_under_load(guarded: Daemon) -> None:
    guarded.start()
    statuses: list[int] = []
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            statuses.append(append(guarded, bearer("payments"), "account-2"))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        wait_until(lambda: len(statuses) > 20, "appends are under way", 20)
        stranger = f"    stranger: {{ tokens: [ {{ sha256: {digest(TOKENS['stranger'])} }} ], grants: {{ read: [account] }} }}"
        rewrite(guarded, access(stranger))
        assert guarded.http("GET", "/streams/account-2", headers=bearer("stranger")).status == 401
        done = guarded.run("reload", "--format", "json")
        assert done.returncode == 0 and json.loads(done.stdout)["restartNeeded"] == [], done.stderr
        assert guarded.http("GET", "/streams/account-2", headers=bearer("stranger")).status == 200
        # What cannot be used changes nothing.
        rewrite(guarded, access("    broken: { tokens: [ { file: missing } ], grants: { operate: true } }"))
        done = guarded.run("reload")
        assert done.returncode == MEND and "access.principals.broken.tokens[0]" in done.stderr, done.stderr
        assert guarded.http("GET", "/streams/account-2", headers=bearer("stranger")).status == 200
        assert set(statuses) == {201}
        # A file with a token is read again, and a grant is taken back.
        (guarded.folder / "auditor.token").write_text("another-token-that-is-long-enough-to-be-one")
        rewrite(guarded, access(payments="read: [account]"))
        guarded.process.send(signal.SIGHUP)
        wait_until(lambda: statuses[-1] == 403, "payments may append no more", 20)
        assert guarded.http("GET", "/log", headers=bearer("auditor")).status == 401
        assert guarded.http("GET", "/streams/account-2", headers=bearer("stranger")).status == 401
    finally:
        stop.set()
        writer.join()
    assert set(statuses) == {201, 403}


def test_the_commands_show_a_token_and_print_json(guarded: Daemon) -> None:
    guarded.start()
    assert json.loads(guarded.run("status", "--format", "json").stdout)["access"]["principals"] == 3
    guarded.token = ""
    done = guarded.run("status")
    assert done.returncode != 0 and "credential" in done.stderr
    (guarded.folder / "ops.token").write_text(TOKENS["operators"] + "\n")
    pause = ("pause", "bank.accounts.v1", "--outlet", "mqtt:main", "--reason", "a test", "--format", "json")
    done = guarded.run(*pause, "--token-file", guarded.folder / "ops.token")
    assert json.loads(done.stdout)["paused"]["reason"] == "a test", done.stderr
    events = guarded.folder / "some.jsonl"
    events.write_text(json.dumps(deposit("5") | {"stream": "account-5"}) + "\n")
    guarded.token = TOKENS["payments"]
    done = guarded.run("import", events, "--format", "json")
    assert json.loads(done.stdout)["appended"] == 1, done.stderr
    # The door for imports asks for less of events, and has a grant of its own.
    rewrite(guarded, access(payments="append: [account], read: [account]"))
    guarded.token = TOKENS["operators"]
    assert guarded.run("reload").returncode == 0
    guarded.token = TOKENS["payments"]
    answer = guarded.http("POST", "/streams/account-5?door=import", deposit("5"), {"authorization": f"Bearer {TOKENS['payments']}"})
    assert answer.status == 403 and b"no grant to import" in answer.body, answer.body
    made = json.loads(
        subprocess.run([str(guarded.binary), "token", "--format", "json"], capture_output=True, timeout=30, check=True).stdout)
    assert digest(made["token"]) == made["sha256"] and len(made["token"]) >= 43


def test_tokens_of_an_issuer_are_good_once_its_keys_are_known(guarded: Daemon, tmp_path: Path) -> None:
    issuer = Issuer(tmp_path, free_ports(1)[0])
    section = access("    fraud: { jwts: [ { issuer: login, claims: { sub: fraud } } ], grants: { append: [account] } }",
                     "  issuers:", "    login:", "      issuer: https://login.bank.example", "      audience: horizon",
                     f"      jwks: {{ url: '{issuer.url}' }}")
    rewrite(guarded, section)
    guarded.start()

    def tried(token: str) -> int:
        return append(guarded, {"authorization": f"Bearer {token}"})

    def view() -> dict[str, object]:
        return guarded.status()["access"]["issuers"][0]

    # An issuer that does not answer stops nothing, and nobody comes in by it.
    assert tried(issuer.token(sub="fraud")) == 401
    assert wait_until(lambda: view()["lastError"], "it is told", 10) and view()["keys"] == 0
    assert "keys of issuer login could not be fetched" in guarded.run("status").stdout
    issuer.serve()
    try:
        wait_until(lambda: tried(issuer.token(sub="fraud")) == 201, "the keys are fetched", 45, 0.5)
        for bad in (issuer.token(sub="payments"), issuer.token(sub="fraud", aud="other"), issuer.token(sub="fraud", iss="https://x.example"),
                    issuer.token(sub="fraud", exp=1), issuer.token("HS256", sub="fraud"), issuer.token("none", sub="fraud"),
                    Issuer(tmp_path, 1, "unknown").token(sub="fraud")):
            assert tried(bad) == 401
        assert issuer.fetches <= 2, "keys that are unknown are asked for now and then only"
        issuer.stop()
        assert guarded.run("reload").returncode == 0
        assert tried(issuer.token(sub="fraud")) == 201, "what is known stays while the issuer does not answer"
    finally:
        issuer.stop()


def test_client_certificates_name_principals(guarded: Daemon, tmp_path: Path) -> None:
    ours, theirs = Authority(tmp_path, "ours"), Authority(tmp_path, "theirs")
    with_tls(guarded, ours, ours.sign("localhost"), "http", "operator")
    rewrite(guarded, access(
        "    budgeting: { certificates: [ { common_name: budgeting } ], grants: { append: [account] } }",
        "    fraud: { certificates: [ { uri: 'spiffe://bank/fraud' }, { dns: fraud.bank.example } ], grants: { operate: true } }"))
    guarded.start()
    budgeting = ours.sign("budgeting")
    assert append(guarded, {}, tls=ours.client(budgeting)) == 201
    assert append(guarded, bearer("payments"), tls=ours.client()) == 201, "a certificate is not asked for"
    assert append(guarded, {}, tls=ours.client()) == 401
    assert append(guarded, {}, tls=ours.client(ours.sign("somebody"))) == 401
    assert append(guarded, bearer("stranger"), tls=ours.client(budgeting)) == 401, "what is shown has to be good"
    with pytest.raises((ssl.SSLError, ConnectionError)):
        append(guarded, {}, tls=ours.client(theirs.sign("budgeting")))
    with pytest.raises(ssl.SSLError):
        append(guarded, {}, tls=theirs.client())
    for alternatives in ("URI:spiffe://bank/fraud", "DNS:fraud.bank.example"):
        certificate, key = ours.sign("x", alternatives)
        url = f"https://{guarded.addresses()['operator']}/status"
        shown = ["--cert", certificate, "--key", key, "--cacert", ours.certificate]
        done = subprocess.run(["curl", "-sS", "--http2", "-w", "%{http_code} %{http_version}", "-o", "/dev/null", *map(str, shown), url],
                              capture_output=True, text=True, timeout=30, check=True)
        assert done.stdout == "200 2"
    # The commands trust the certificate that the daemon wrote down, and show their own if they are told to.
    assert guarded.run("status").returncode == 0
    server = f"https://{guarded.addresses()['operator']}"
    done = guarded.run("status", "--server", server)
    assert done.returncode != 0 and "does not answer" in done.stderr, "nobody of the system's vouches for it"
    guarded.token = ""
    done = guarded.run("status", "--server", server, "--ca", ours.certificate, "--certificate-file", certificate, "--key-file", key)
    assert done.returncode == 0, done.stderr


def served(daemon: Daemon, authority: Authority) -> Answer:
    """An answer over a connection of its own."""
    return request(daemon.addresses()["http"], "GET", "/health", tls=authority.client())


def test_certificates_are_replaced_under_load_and_a_bad_one_is_not_taken(guarded: Daemon, tmp_path: Path) -> None:
    old, new = Authority(tmp_path, "old"), Authority(tmp_path, "new")
    files = with_tls(guarded, old, old.sign("localhost"), "http", "operator")
    guarded.start()
    failures: list[BaseException] = []
    answered = threading.Semaphore(0)
    stop = threading.Event()
    either = ssl.create_default_context(cadata=old.certificate.read_text() + new.certificate.read_text())

    def ask() -> None:
        while not stop.is_set():
            try:
                assert request(guarded.addresses()["http"], "GET", "/health", tls=either).status == 200
                answered.release()
            except Exception as failure:  # noqa: BLE001
                failures.append(failure)
                return

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        assert answered.acquire(timeout=20)
        files[0].write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        done = guarded.run("reload")
        assert done.returncode == MEND and "http.tls" in done.stderr, done.stderr
        assert served(guarded, old).status == 200
        replace(files, new.sign("localhost"))
        done = guarded.run("reload")
        assert done.returncode == 0, done.stderr
        assert served(guarded, new).status == 200
        with pytest.raises(ssl.SSLError):
            served(guarded, old)
        assert guarded.addresses()["certificates"]["operator"] == fingerprint(files[0])
        # Without a reload it is seen that the files have changed.
        replace(files, old.sign("localhost"))
        wait_until(lambda: guarded.addresses()["certificates"]["http"] == fingerprint(files[0]), "the change is seen", 20)
        assert served(guarded, old).status == 200
        assert guarded.run("status").returncode == 0, "the commands know the new one"
        files[1].write_text("no key")
        wait_until(lambda: "cannot be used; what was in use stays" in guarded.log.read_text(), "a bad key is told", 20)
        assert served(guarded, old).status == 200
        assert answered.acquire(timeout=20)
    finally:
        stop.set()
        asking.join()
    assert not failures, failures


def test_a_certificate_that_came_with_a_refused_reload_is_taken_up_all_the_same(guarded: Daemon, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    files = with_tls(guarded, authority, authority.sign("localhost"), "http")
    guarded.start()
    contract = next((guarded.folder / "contracts").glob("*.yaml"))
    text = contract.read_text()
    contract.write_text(text + "\nnonsense: 1\n")
    replace(files, authority.sign("localhost"))
    assert guarded.run("reload").returncode == MEND
    wait_until(lambda: guarded.addresses()["certificates"]["http"] == fingerprint(files[0]), "the change is seen", 20)


def test_a_listener_with_the_public_side_only_shows_nothing_private(guarded: Daemon) -> None:
    guarded.env["HORIZON_PUBLIC__LISTEN"] = "127.0.0.1:0"
    guarded.start()
    public = guarded.addresses()["public"]
    assert request(public, "GET", "/health").status == 200
    for path in ("/log", "/streams/account-1", "/status", "/contracts"):
        assert request(public, "GET", path).status == 401
        for name in ("auditor", "operators"):
            assert request(public, "GET", path, headers=bearer(name)).status == 404, path


def test_check_tells_what_is_wrong_with_principals_without_their_secrets(guarded: Daemon) -> None:
    rewrite(guarded, access("    later: { tokens: [ { env: NOT_SET_HERE }, { env: NOR_THIS } ], grants: { operate: true } }"))
    done = guarded.run("check")
    assert done.returncode == 0 and done.stdout.endswith("not set here: NOR_THIS, NOT_SET_HERE\n"), done
    guarded.env |= {"NOT_SET_HERE": "x" * 32, "NOR_THIS": "y" * 32}
    assert "not set here" not in guarded.run("check").stdout
    rewrite(guarded, access("    later: { tokens: [ { env: NOT_SET_HERE } ], grants: { read: [account-1] } }"))
    done = guarded.run("check")
    assert done.returncode == MEND and "access.principals.later.grants" in done.stderr


def test_check_finds_what_serve_would_refuse_in_files(guarded: Daemon, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    files = with_tls(guarded, authority, authority.sign("localhost"), "http")
    key = guarded.env["HORIZON_HTTP__TLS__KEY__FILE"]

    def refused(told: str) -> None:
        both = [guarded.run(command) for command in ("check", "serve")]
        assert [done.returncode for done in both] == [MEND, MEND] and told in both[0].stderr, both
        assert both[0].stderr == both[1].stderr, "in the same words"

    assert guarded.run("check").returncode == 0
    for file, text, told in [
        (files[0], "no certificate", "http.tls.certificate"), (files[1], "no key", "http.tls.key"),
        (authority.certificate, "nobody", "http.tls.client_ca"), (guarded.folder / "auditor.token", "short", "principals.auditor.tokens[0]"),
        (guarded.folder / "auditor.token", TOKENS["payments"], "auditor has the same token")]:
        sound = file.read_text()
        file.write_text(text)
        refused(told)
        file.unlink()
        refused(file.name)
        file.write_text(sound)
    replace((files[1],), (authority.sign("other")[1],))
    refused("does not fit the certificate")
    # A key in a variable that is not set here is not looked at; the rest is.
    del guarded.env["HORIZON_HTTP__TLS__KEY__FILE"]
    guarded.env["HORIZON_HTTP__TLS__KEY__ENV"] = "THE_KEY"
    done = guarded.run("check")
    assert done.returncode == 0 and "not set here: THE_KEY" in done.stdout, done
    guarded.env["THE_KEY"] = Path(key).read_text()
    refused("does not fit the certificate")
    guarded.env["THE_KEY"] = ""
    refused("the secret is empty")


def test_beyond_loopback_the_daemon_says_what_is_missing(guarded: Daemon, tmp_path: Path) -> None:
    guarded.env["HORIZON_HTTP__LISTEN"] = "0.0.0.0:0"
    done = guarded.run("serve")
    assert done.returncode == MEND and "has no TLS" in done.stderr, done.stderr
    authority = Authority(tmp_path)
    with_tls(guarded, authority, authority.sign("localhost"), "http")
    guarded.start()
    port = guarded.addresses()["http"].rsplit(":")[-1]
    assert request(f"127.0.0.1:{port}", "GET", "/log", headers=bearer("auditor"), tls=authority.client()).status == 200


def test_an_open_listener_on_loopback_is_closed_to_pages_of_elsewhere(daemon: Daemon) -> None:
    good = daemon.http("GET", "/log", headers={"host": "localhost"})
    assert good.status == 200
    assert daemon.http("GET", "/log", headers={"host": "evil.example"}).status == 421
    for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site", "sec-fetch-mode": "cors"}):
        assert daemon.http("POST", "/streams/account-1", deposit("1"), headers).status == 403
        assert request(daemon.addresses()["operator"], "POST", "/reload", b"{}", headers).status == 403
    daemon.stop()
    daemon.config.write_text(daemon.config.read_text().replace("http:\n", "http:\n  hosts: [horizon.bank.example]\n"))
    daemon.start()
    assert daemon.http("GET", "/log", headers={"host": "horizon.bank.example:8480"}).status == 200
