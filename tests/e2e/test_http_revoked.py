"""What is taken back is gone at once: whatever is wrong with contracts, and whatever is under way or open."""

from __future__ import annotations

import http.client
import json
import shutil
import signal
import socket
import ssl
import subprocess
import time
from pathlib import Path

import pytest
from authority import Authority
from disk import MIB, compile_shim, put_under
from facts import deposit
from following import EVENTS
from guarding import TOKENS, access, append, bearer, digest, rewrite, with_tls
from oracle import ACCOUNTS
from parking import CONTRACT, change, reload
from rig.daemon import Answer, Daemon
from rig.ports import free_ports
from rig.waiting import wait_until
from tokens import Issuer

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


def test_a_token_is_taken_back_while_the_disk_is_too_low_for_contracts(guarded: Daemon, tmp_path: Path) -> None:
    disk = put_under(guarded, compile_shim(tmp_path))
    guarded.env["HORIZON_DISK__CROSSING_MIN_FREE_BYTES"] = str(500 * MIB)
    disk.set_free(5_000)
    rewrite(guarded, reader("read: [account]"))
    guarded.start()
    assert append(guarded, bearer("payments")) == 201

    def may_read() -> bool:
        return guarded.http("GET", "/streams/account-1", headers=bearer("stranger")).status == 200

    disk.set_free(400)
    wait_until(lambda: guarded.status()["disk"]["crossingRefused"], "the disk is seen", 20)
    change(guarded, CONTRACT, "version: 1.0.0", "version: 1.0.1")
    assert may_read()
    for section, expected in ((access(), False), (reader("read: [account]"), True), (access(), False)):
        rewrite(guarded, section)
        guarded.process.send(signal.SIGHUP)
        wait_until(lambda expected=expected: may_read() == expected, f"access is taken up: {expected}", 20)
    assert guarded.contract(ACCOUNTS)["version"] == "1.0.0"
    disk.set_free(5_000)
    wait_until(lambda: not guarded.status()["disk"]["crossingRefused"], "the disk is seen", 20)
    reload(guarded)
    assert guarded.contract(ACCOUNTS)["version"] == "1.0.1"


POLLS = ["/log?after=head&category=account", "/streams/account-1?from=2", f"/public/{ACCOUNTS}?after=head"]
READS = "read: [account], follow: [account], public: ['*']"


class Poll:
    """A long poll that has begun to wait."""

    def __init__(self, daemon: Daemon, path: str, token: str, wait: int = 50) -> None:
        host, port = daemon.addresses()["http"].split(":")
        self._socket = socket.create_connection((host, int(port)), timeout=wait + 20)
        path = f"{path}&wait={wait}"
        # Both requests come in one piece: when the first is answered, the second is there.
        poll = f"GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nauthorization: Bearer {token}\r\n\r\n"
        self._socket.sendall(f"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n{poll}".encode())
        self._received = b""
        while b"ok\n" not in self._received:
            self._received += self._socket.recv(65536)
        self._received = self._received.split(b"ok\n", 1)[1]

    def answer(self) -> Answer:
        """What it is answered in the end."""
        with self._socket:
            while piece := self._socket.recv(65536):
                self._received += piece
        head, body = self._received.split(b"\r\n\r\n", 1)
        return Answer(int(head.split(b" ", 2)[1]), {}, body)


def reader(grants: str) -> str:
    """A section `access` in which the stranger has these grants."""
    return access(f"    stranger: {{ tokens: [ {{ sha256: {digest(TOKENS['stranger'])} }} ], grants: {{ {grants} }} }}")


def start_with_one(daemon: Daemon, section: str) -> None:
    """Starts a guarded daemon with one event. It has crossed: whoever reads on from a head waits for what comes after."""
    rewrite(daemon, section)
    daemon.start()
    assert append(daemon, bearer("payments")) == 201
    wait_until(lambda: daemon.contract(ACCOUNTS)["sequence"] == 1, "it has crossed")


@pytest.mark.parametrize(("section", "statuses"), [
    (access(), [401, 401, 401]), (reader("append: [account]"), [403, 403, 404]), (reader("read: [account], public: [x]"), [403, 403, 404])],
    ids=["principal", "grants", "follow"])
def test_a_long_poll_ends_when_its_grant_is_taken_back_and_tells_nothing_that_came_after(
    guarded: Daemon, section: str, statuses: list[int],
) -> None:
    start_with_one(guarded, reader(READS))
    polls = [Poll(guarded, path, TOKENS["stranger"]) for path in POLLS]
    rewrite(guarded, section)
    reload(guarded)
    reloaded = time.monotonic()
    assert append(guarded, bearer("payments")) == 201
    answers = [poll.answer() for poll in polls]
    assert [answer.status for answer in answers] == statuses
    assert not any(b"CashDeposited" in answer.body or b"credited" in answer.body for answer in answers)
    assert time.monotonic() - reloaded < 20, "not when it would have ended anyway"


def test_a_long_poll_goes_on_with_other_grants_that_allow_it_and_no_longer_than_it_asked(guarded: Daemon) -> None:
    start_with_one(guarded, reader(READS))
    waits = 5
    began = time.monotonic()
    short, *polls = [Poll(guarded, POLLS[0], TOKENS["stranger"], waits), *(Poll(guarded, path, TOKENS["stranger"]) for path in POLLS)]
    while time.monotonic() - began < waits - 1:
        rewrite(guarded, reader(READS + f", append: [some{time.monotonic_ns()}]"))
        reload(guarded)
    answer = short.answer()
    assert answer.status == 200 and json.loads(answer.body)["events"] == []
    assert waits <= time.monotonic() - began < 2 * waits - 2
    assert append(guarded, bearer("payments")) == 201
    answers = [poll.answer() for poll in polls]
    assert [answer.status for answer in answers] == [200] * 3
    assert all(b"CashDeposited" in answer.body or b"credited" in answer.body for answer in answers)


def test_a_long_poll_ends_with_its_token(guarded: Daemon, tmp_path: Path) -> None:
    issuer = Issuer(tmp_path, free_ports(1)[0])
    (guarded.folder / "jwks.json").write_text(json.dumps(issuer.keys()))
    start_with_one(guarded, access(
        f"    fraud: {{ jwts: [ {{ issuer: login, claims: {{ sub: fraud }} }} ], grants: {{ {READS} }} }}",
        "  issuers:", "    login: { issuer: 'https://login.bank.example', audience: horizon, leeway_seconds: 0, jwks: { file: jwks.json } }"))
    expires = int(time.time()) + 4
    token = issuer.token(sub="fraud", exp=expires)
    polls = [Poll(guarded, path, token, 20) for path in POLLS]
    answers = [poll.answer() for poll in polls]
    assert [answer.status for answer in answers] == [401] * 3
    assert expires <= time.time() < expires + 10


class Open:
    """A connection that stays open between requests."""

    def __init__(self, daemon: Daemon, tls: ssl.SSLContext) -> None:
        self._connection = http.client.HTTPSConnection(daemon.addresses()["http"], timeout=20, context=tls)
        self._connection.connect()
        self.socket = self._connection.sock

    def append(self, headers: dict[str, str] | None = None) -> int:
        """Appends over this connection, and no other."""
        assert self._connection.sock is self.socket, "it was closed"
        body = json.dumps(deposit("1"))
        self._connection.request("POST", "/streams/account-1", body, {"content-type": "application/json"} | (headers or {}))
        answer = self._connection.getresponse()
        answer.read()
        return answer.status

    def follow(self, path: str, accept: str) -> http.client.HTTPResponse:
        """Begins an answer that goes on."""
        self._connection.request("GET", path, headers={"accept": accept})
        return self._connection.getresponse()

    def has_ended(self) -> bool:
        """Waits for the other side to close it."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionError:
            return True
        except TimeoutError:
            return False


def test_an_open_connection_does_not_outlast_who_vouched_for_its_certificate(guarded: Daemon, tmp_path: Path) -> None:
    old, new = Authority(tmp_path, "old"), Authority(tmp_path, "new")
    with_tls(guarded, old, old.sign("localhost"), "http")
    clients = guarded.folder / "clients.pem"
    shutil.copy(old.certificate, clients)
    guarded.env["HORIZON_HTTP__TLS__CLIENT_CA"] = str(clients)
    rewrite(guarded, access("    budgeting: { certificates: [ { common_name: budgeting } ], grants: { append: [account], follow: [account] } }"))
    guarded.start()
    shown, bare = old.client(old.sign("budgeting")), old.client()
    idle, following, tokens = Open(guarded, shown), Open(guarded, shown), Open(guarded, bare)
    assert idle.append() == 201 and tokens.append(bearer("payments")) == 201
    certificate, key = old.sign("budgeting")
    command = ["node", Path(__file__).with_name("ask_http2.cjs"), f"https://localhost:{guarded.addresses()['http'].split(':')[1]}",
               old.certificate, certificate, key, "/log?after=head&category=account"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as asking:  # noqa: S603
        try:
            assert asking.stdin and asking.stdout

            def asked() -> str:
                asking.stdin.write("ask\n")
                asking.stdin.flush()
                return asking.stdout.readline().strip()

            assert asking.stdout.readline().strip() == "following 200" and asked() == "201"
            follow = following.follow("/log?after=head&category=account", EVENTS)
            assert follow.status == 200
            # One more authority ends nothing.
            clients.write_text(old.certificate.read_text() + new.certificate.read_text())
            reload(guarded)
            assert idle.append() == 201 and asked() == "201"
            clients.write_text(new.certificate.read_text())
            reload(guarded)
            assert tokens.append(bearer("payments")) == 201, "whoever has a token goes on"
            assert idle.has_ended()
            assert follow.read().count(b"CashDeposited") <= 2, "it has ended, and was told of nothing that came after"
            assert asking.stdout.readline().strip() in ("followed 2", "followed 3")
            assert asking.stdout.readline().strip() == "closed"
        finally:
            asking.kill()
    with pytest.raises((ssl.SSLError, ConnectionError)):
        append(guarded, {}, tls=shown)
    theirs = old.client(new.sign("budgeting"))
    assert append(guarded, {}, tls=theirs) == 201
