"""JSON in texts in JSON, which the daemon's JSON library would read as its own: refused, wherever it comes in. What is malformed is told
in words for those who call, not for those who program the daemon."""

from __future__ import annotations

import base64
import hashlib
import json

from rig.daemon import Daemon, request


def texts_in_texts(levels: int) -> str:
    """Arrays in texts in arrays, which a library that reads a text within a text as JSON would follow down with its stack."""
    text = "[" * 100
    for level in range(1, levels):
        escaped = text.replace("\\", "\\u005c").replace('"', "\\u0022") if level < levels - 3 else json.dumps(text)[1:-1]
        text = "[" * 120 + '{"$serde_json::private::RawValue":"' + escaped + '"'
    return text


def test_text_within_text_is_refused_and_costs_nobody_the_daemon(lone_daemon: Daemon) -> None:
    daemon = lone_daemon
    daemon.config.write_text(daemon.config.read_text().replace("events_without_schema: refuse", "events_without_schema: accept"))
    daemon.start()
    bomb = texts_in_texts(29)
    assert len(bomb) > 10_000
    for path, body in (
        ("/streams/heap-1", '{"id":"1","type":"Heaped","data":' + bomb),
        ("/streams/heap-1", '{"expectedRevision":' + bomb),
        ("/commits", '{"events":[],"expectedRevisions":{"heap-1":' + bomb),
        ("/streams/heap-1", '{"id":"1","type":"Heaped","data":{"$serde_json::private::Number":"5"}}'),
        ("/streams/heap-1", '{"id":"1","type":"Heaped","data":{"a":{"\\u0024serde_json::private::RawValue":"6"}}}'),
        ("/streams/heap-1", '{"id":"1","type":"Heaped","x":{"$serde_json::private::Number":"5"},"data":1}'),
    ):
        answer = daemon.http("POST", path, body.encode())
        assert answer.status == 400 and b"kept back" in answer.body, (body[:80], answer.body)
    as_data = base64.b64encode(b'{"$serde_json::private::Number":"5"}').decode()
    event = {"specversion": "1.0", "id": "1", "source": "/s", "type": "Heaped", "datacontenttype": "application/json", "data_base64": as_data}
    answer = daemon.http("POST", "/streams/heap-1", event, {"content-type": "application/cloudevents+json"})
    assert answer.status == 400 and b"kept back" in answer.body, answer.body
    assert daemon.status()["log"]["events"] == 0


def test_a_token_with_text_within_text_is_refused_as_any_other(lone_daemon: Daemon) -> None:
    daemon = lone_daemon
    token = "operating-operating-operating-operating"
    digest = hashlib.sha256(token.encode()).hexdigest()
    daemon.config.write_text(daemon.config.read_text() + "\naccess:\n  issuers:\n    one: { issuer: one, audience: two, jwks: { file: keys.json } }\n"
                             + f"  principals:\n    ops: {{ tokens: [ {{ sha256: {digest} }} ], grants: {{ operate: true }} }}\n")
    (daemon.folder / "keys.json").write_text('{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}')
    daemon.token = token
    daemon.start()

    def part(text: str) -> str:
        return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()

    for bad in (part('{"alg":""}') + "." + part('{"":' + texts_in_texts(28)) + ".", part('{"alg":"","crit":' + texts_in_texts(28)) + ".."):
        assert 8_000 < len(bad) < 16_384
        answer = request(daemon.addresses()["operator"], "GET", "/status", headers={"authorization": f"Bearer {bad}"})
        assert answer.status == 401
    assert daemon.status()["failures"] == []


# What a library says to programmers, and no caller can do anything with.
INTERNAL = ("struct", "Failed to", "untagged", "u64", "usize", "invalid digit", "Invalid URL", "enum", "os error")

PRIVATE: list[tuple[str, str, bytes | None, dict[str, str]]] = [
    ("POST", "/commits", b"7", {}), ("POST", "/commits", b"[]", {}), ("POST", "/commits", b'{"events": 7}', {}),
    ("POST", "/commits", b'{"events": [1]}', {}), ("POST", "/commits", b'{"x": 7}', {}), ("POST", "/commits", b"null", {}),
    ("POST", "/commits", b'{"expectedRevisions": 7, "events": []}', {}), ("POST", "/commits", b'{"expectedRevisions": {"a": -1}, "events": []}', {}),
    ("POST", "/streams/account-1", b'{"id":', {}), ("POST", "/streams/account-1", b"", {}), ("POST", "/streams/account-1", b"\xff", {}),
    ("POST", "/streams/account-1", b'"x"', {}), ("POST", "/streams/account-1", b'{"events": [], "x": 1}', {}),
    ("POST", "/streams/account-1?doors=x", b"{}", {}), ("POST", "/streams/account-1", b"[7]", {}),
    ("POST", "/streams/account-1", b"{}", {"content-type": "application/cloudevents-batch+json"}),
    ("GET", "/streams/account-1?from=-1", None, {}), ("GET", "/streams/account-1?limit=many", None, {}), ("GET", "/streams/account-1?x=1", None, {}),
    ("GET", "/streams/account-1?from=1&from=2", None, {}), ("GET", "/streams/%ff", None, {}), ("GET", "/streams/%ff/1", None, {}),
    ("GET", "/log?wait=x", None, {}), ("GET", "/log?after=99999999999999999999", None, {}), ("GET", "/log?direction=up", None, {}),
    ("GET", "/public/bank.accounts.v1?before=x", None, {}), ("GET", "/streams?category=a&limit=x", None, {}),
]

OPERATOR: list[tuple[str, str, bytes | None]] = [
    ("POST", "/parked/skip", b"7"), ("POST", "/parked/skip", b'{"contract": 7}'), ("POST", "/parked/retry", b"{"), ("POST", "/parked/skip", b'{"at": 1.5}'),
    ("POST", "/contracts/skip", b"null"), ("POST", "/contracts/skip", b'{"contract": "a", "at": -1, "reason": "x"}'),
    ("POST", "/verifications", b"null"), ("POST", "/reload", b"7"), ("POST", "/backups", b'"x"'), ("POST", "/exports", b"true"),
    ("POST", "/relays/pause", b"7"), ("POST", "/relays/resume", b'{"contract": "a"}'), ("POST", "/replays", b"7"),
    ("POST", "/replays/x/stop", b"{}"), ("GET", "/replays/x", None), ("GET", "/parked?limit=x", None), ("GET", "/parked?limit=0", None),
    ("GET", "/parked?x=1", None), ("GET", "/parked/a/%ff", None), ("GET", "/parked/a/b?after=x", None), ("GET", "/why/%ff", None),
]


def test_what_is_malformed_is_told_in_words_for_callers_with_a_mend(daemon: Daemon) -> None:
    answers = [(case[:3], daemon.http(*case)) for case in PRIVATE] + [(case, daemon.operator(*case)) for case in OPERATOR]
    for case, answer in answers:
        told = answer.json()
        assert answer.status == 400 and told["detail"] and told["mend"], (case, told)
        assert not [word for word in INTERNAL if word in told["detail"]], (case, told)


def test_a_connection_that_fails_is_told_with_its_address_and_what_to_do(lone_daemon: Daemon) -> None:
    for address, reason in (("http://127.0.0.1:1", "connection refused"), ("https://127.0.0.1:1", "connection refused"),
                            ("http://no-such-host.invalid:1", "")):
        done = lone_daemon.run("status", "--server", address)
        first, mend = done.stderr.strip().splitlines()
        assert done.returncode == 1 and address in first and reason in first and "= mend:" in mend, done.stderr
        assert not [word for word in (*INTERNAL, "io:", "http:/ ", "ureq") if word in first], first
    for address in ("nonsense", "127.0.0.1:8481", "ftp://127.0.0.1", "http://127.0.0.1:99999", "http://127.0.0.1:"):
        done = lone_daemon.run("status", "--server", address)
        assert done.returncode == 2 and address in done.stderr and "http://127.0.0.1:8481" in done.stderr, done.stderr
    assert "`import` and `preview`" in " ".join(lone_daemon.run("preview", "--help").stdout.split())
