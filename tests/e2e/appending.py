"""Events that are hard to append, and what is stored of them, to the byte."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from rig.daemon import Answer, Daemon

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
NO_SPACE_QUOTE_PERCENT = "".join(chr(c) for c in range(0x21, 0x7F) if chr(c) not in ' "%')


@dataclass(frozen=True)
class Case:
    """An event as a writer means it: attributes, the media type of its data, and the data's bytes."""

    name: str
    data: bytes | None
    media_type: str | None = None
    attributes: dict[str, Any] = field(default_factory=dict)

    def due(self, event_id: str) -> dict[str, Any]:
        """All attributes of the event that is made of it."""
        media_type = {"datacontenttype": self.media_type} if self.media_type else {}
        return {"id": event_id, "source": "/things/ü", "type": "ThingSeen", **self.attributes, **media_type}

    def binary(self, event_id: str) -> tuple[dict[str, str], bytes]:
        """Headers and body, in binary mode."""
        attributes = {"specversion": "1.0", **self.due(event_id)}
        media_type = attributes.pop("datacontenttype", None)
        headers = {f"ce-{name}": quote(str(value), safe=NO_SPACE_QUOTE_PERCENT) for name, value in attributes.items()}
        return headers | ({"content-type": media_type} if media_type else {}), self.data or b""

    def structured(self, event_id: str) -> bytes:
        """The event in CloudEvents' JSON format, with the data's bytes as they are."""
        return self._json({"specversion": "1.0", **self.due(event_id)})

    def plain(self, event_id: str) -> bytes:
        """The event in Horizon's own JSON."""
        return self._json(self.due(event_id))

    def _json(self, members: dict[str, Any]) -> bytes:
        head = json.dumps(members)[:-1].encode()
        if self.data is None:
            return head + b"}"
        if self.is_json:
            return head + b', "data": ' + self.data + b"}"
        return head + b', "data_base64": "' + base64.b64encode(self.data) + b'"}'

    @property
    def is_json(self) -> bool:
        """Whether the data is said to be JSON, and is."""
        return not self.media_type or self.media_type.partition(";")[0].endswith(("/json", "+json"))


# FACTS of CloudEvents that cost others dearly.
CASES = [
    Case("data is null", b"null"),
    Case("data is absent", None),
    Case("numbers beyond a double's precision", b'{"a": 12345678901234567890.10, "b": 1e400, "c": -0.0, "d": 1.10}'),
    Case("white space and the order of members", b'{ "z": 1,\t"a": [ ]}'),
    Case("escapes", rb'"\u00fc\/\ud83d\ude00"'),
    Case("a type of JSON", b'{"a": 1}', "application/vnd.bank.thing+json; charset=utf-8"),
    Case("JSON by another name", b"[1, 2]", "text/json"),
    Case("bytes", bytes(range(256)), "application/octet-stream"),
    Case("no bytes", b"", "application/octet-stream"),
    Case("bytes that look like JSON", b'{"a": 1}', "application/x-thing"),
    Case("text", "<a>ü</a>\r\n".encode(), "text/xml; charset=utf-8"),
    Case("text that is not UTF-8", b"\xe4", "text/plain; charset=iso-8859-1"),
    Case("attributes beyond ASCII", b"1", None, {"subject": "Käse % \"x\" \u20ac \U0001f600", "place": "\u6771\u4eac"}),
    Case("names that Horizon uses elsewhere", b"1", None, {
        "stream": "a", "revision": "b", "position": "c", "recorded": "d", "flagged": "e", "event": "f", "events": "g", "door": "h"}),
    Case("extensions that nobody knows", b"1", None, {"x": "1", "0": "2", "averylongnameofanextension": "3", "traceparent": "00-1-2-01"}),
    Case("times as they were written", b"1", None, {"time": "2026-01-31T12:00:00.120+01:00"}),
]
TYPED = {"flag": True, "off": False, "count": -2147483648, "text": "1"}


@dataclass(frozen=True)
class Stored:
    """An event as it is read: its attributes as JSON has them, its data's bytes, and whether it has any."""

    attributes: dict[str, Any]
    data: bytes | None


def stored(daemon: Daemon, stream: str) -> list[Stored]:
    """The events of a stream."""
    answer = daemon.http("GET", f"/streams/{stream}?limit=1000", headers={"accept": "application/json"})
    assert answer.status == 200, answer.body
    text = answer.body.decode()
    found, at = [], 0
    for one in answer.json()["events"]:
        event = one["event"]
        at = text.index('"event":{', at) + len('"event":')
        # Data is the last member: before it there are attributes only, in which no quote stands unescaped.
        data_at = text.find('"data":', at)
        end = json.JSONDecoder().raw_decode(text, at)[1]
        data: bytes | None = None
        if "data_base64" in event:
            data = base64.b64decode(event["data_base64"], validate=True)
        elif "data" in event:
            raw = text[data_at + len('"data":'):end - 1]
            media_type = event.get("datacontenttype", "application/json").partition(";")[0]
            data = raw.encode() if media_type.endswith(("/json", "+json")) else json.loads(raw).encode()
        at = end
        found.append(Stored({name: value for name, value in event.items() if name not in ("data", "data_base64")}, data))
    return found


def append(daemon: Daemon, stream: str, body: bytes, content_type: str | None = None, headers: dict[str, str] | None = None) -> Answer:
    """One append, with exactly these headers."""
    named = {"content-type": content_type} if content_type else {}
    return daemon.exact_http("POST", f"/streams/{stream}", body, named | (headers or {}))


def problem(answer: Answer, status: int, name: str, *words: str) -> dict[str, Any]:
    """Insists on a problem of this kind, and that each of the words is in it."""
    text = answer.body.decode()
    assert answer.status == status, text
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told["type"] == f"urn:horizon:problem:{name}" and told["status"] == status and told["mend"]
    for word in words:
        assert word in text, f"{word!r} is not in {text}"
    return told
