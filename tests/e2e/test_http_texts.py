"""JSON in texts in JSON, which the daemon's JSON library would read as its own: refused, wherever it comes in."""

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
