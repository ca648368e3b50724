"""A contract that is not granted is answered exactly as one that does not exist, wherever it is asked for."""

from __future__ import annotations

import hashlib
import secrets
from urllib.parse import quote

import pytest
from facts import deposit, loan_payment
from following import BATCH, EVENTS, JSON, LINES
from oracle import ACCOUNTS, LENDING
from rig.daemon import Answer, Daemon, request
from rig.waiting import wait_until

TOKENS = {name: f"hzn_{secrets.token_urlsafe(32)}" for name in ("some", "all", "operators")}
GRANTS = {"some": f"public: [{ACCOUNTS}]", "all": "append: [account], public: ['*']", "operators": "operate: true"}
HTML, YAML = "text/html", "application/yaml"
SCHEMA, NO_SCHEMA = "bank.lending/repaid.v1.json", "bank.nothing/repaid.v1.json"
LISTS = [(path, accept) for path in ("/public", "/schemas", "/catalog") for accept in (JSON, YAML, HTML, "image/png")]


@pytest.fixture
def guarded(lone_daemon: Daemon) -> Daemon:
    """A daemon with events at both of its contracts, and a caller who is granted one of them."""
    digests = {name: hashlib.sha256(token.encode()).hexdigest() for name, token in TOKENS.items()}
    principals = [f"    {name}: {{ tokens: [ {{ sha256: {digests[name]} }} ], grants: {{ {GRANTS[name]} }} }}" for name in TOKENS]
    lone_daemon.config.write_text("\n".join([lone_daemon.config.read_text(), "access:", "  principals:", *principals, ""]))
    lone_daemon.env["HORIZON_PUBLIC__LISTEN"] = "127.0.0.1:0"
    lone_daemon.token = TOKENS["operators"]
    lone_daemon.start()
    events = [deposit("1"), loan_payment("1")]
    assert lone_daemon.http("POST", "/streams/account-1", events, who("all")).status == 201
    wait_until(lambda: lone_daemon.contract(LENDING)["sequence"] == 1 and lone_daemon.contract(ACCOUNTS)["sequence"] == 2, "they crossed")
    return lone_daemon


def who(name: str) -> dict[str, str]:
    """A principal's token as it is sent."""
    return {"authorization": f"Bearer {TOKENS[name]}"}


def told(daemon: Daemon, listener: str, name: str, path: str, accept: str, method: str = "GET") -> Answer:
    """What a principal is answered."""
    return request(daemon.addresses()[listener], method, path, headers=who(name) | {"accept": accept})


def but_for(name: str, answer: Answer) -> tuple[int, bytes, dict[str, str]]:
    """An answer without the time, and without the name that was asked for."""
    headers = {header: value for header, value in answer.headers.items() if header not in ("date", "content-length")}
    return answer.status, answer.body.replace(name.encode(), b"NAME"), headers


@pytest.mark.parametrize("listener", ["http", "public"])
def test_what_is_asked_for_by_name_is_not_there(guarded: Daemon, listener: str) -> None:
    uri = "https://bank.example/schemas/"
    asked = [(f"/public/{name}{more}", name) for name in (LENDING,)
             for more in ("", "?after=head", "?after=99", "?after=x", "?epoch=9", "?wait=1", "?wait=99", "?since=x", "?unknown=1", "/1", "/0", "/x")]
    asked += [(f"/schemas/{SCHEMA}", SCHEMA), (f"/schemas/{quote(uri + SCHEMA, safe='')}", SCHEMA)]
    seen = set()
    for path, name in asked:
        nothing = NO_SCHEMA if name == SCHEMA else "no.such.v1"
        other = path.replace(quote(name, safe=""), quote(nothing, safe="")).replace(name, nothing)
        assert other != path
        for accept in (BATCH, LINES, EVENTS, JSON, HTML):
            for method in ("GET", "HEAD", "POST"):
                hidden, missing = (told(guarded, listener, "some", one, accept, method) for one in (path, other))
                assert but_for(name, hidden) == but_for(nothing, missing), (method, path, accept)
                assert hidden.status in (404, 405, 406)
                seen.add(hidden.status)
    assert 404 in seen
    for path, accept in ((f"/public/{LENDING}", BATCH), (f"/public/{LENDING}/1", JSON), (f"/schemas/{SCHEMA}", JSON)):
        assert told(guarded, listener, "all", path, accept).status == 200, "who is granted it sees it"


def test_lists_are_as_if_it_were_not_there(guarded: Daemon) -> None:
    def all_told() -> list[tuple[int, bytes, dict[str, str]]]:
        return [but_for("NAME", told(guarded, listener, "some", path, accept)) for listener in ("http", "public") for path, accept in LISTS]

    before = all_told()
    assert LENDING.encode() in told(guarded, "public", "all", "/public", JSON).body
    assert all(b"lending" not in body and b"loan" not in body for _, body, _ in before)
    assert sum(ACCOUNTS.encode() in body for _, body, _ in before) > 2
    assert guarded.stop() == 0
    for file in (guarded.folder / "contracts").glob(f"{LENDING}*"):
        file.unlink()
    guarded.start()
    assert told(guarded, "public", "all", f"/public/{LENDING}", JSON).status == 404
    assert all_told() == before
