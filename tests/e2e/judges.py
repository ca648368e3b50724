"""What must hold of the messages that a consumer received. Every fault is said; a run is good when there is none."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import exact
from jsonschema import Draft202012Validator, FormatChecker
from oracle import SOURCES, STREAMS, Expected, Forecast
from rig.inbox import Message

CONTENT_TYPE = re.compile(r"application/cloudevents\+json(; ?charset=utf-8)?", re.IGNORECASE)
TWENTY_DIGITS = re.compile(r"[0-9]{20}")
ROUTING_PREFIX = {"bank.accounts.v1": "account", "bank.lending.v1": "loan"}
FAULTS_SHOWN = 12


@dataclass(frozen=True)
class Arrival:
    """One public event as it came."""

    stream: str
    event: dict[str, Any]
    payload: bytes
    message: Message

    @property
    def identity(self) -> tuple[str, str]:
        """What a repeat is told by."""
        return self.event["source"], self.event["id"]

    @property
    def key(self) -> str:
        """What order is kept by."""
        return self.event["partitionkey"]

    @property
    def sequence(self) -> int:
        """The place in the public stream."""
        return int(self.event["sequence"])


@dataclass
class Verdict:
    """What a judge found."""

    faults: list[str] = field(default_factory=list)
    first: list[Arrival] = field(default_factory=list)
    repeats: int = 0

    def check(self, good: bool, fault: str) -> None:
        """Notes a fault."""
        if not good:
            self.faults.append(fault)

    def by_sequence(self, stream: str) -> list[Arrival]:
        """First arrivals of a stream in the order of the public log."""
        return sorted((a for a in self.first if a.stream == stream), key=lambda a: a.sequence)

    def assert_good(self) -> None:
        """Fails with the first faults and their number."""
        shown = "\n  ".join(self.faults[:FAULTS_SHOWN])
        assert not self.faults, f"{len(self.faults)} faults, of which the first:\n  {shown}"


def stream_of(message: Message) -> str:
    """The public stream that a message's place belongs to."""
    if "exchange" in message.place:
        return message.place["exchange"]
    return ".".join(message.place["topic"].split("/")[:3])


def read(messages: Iterable[Message], repeats_allowed: bool = False) -> Verdict:
    """Takes messages apart, and sorts first arrivals from repeats, which must be byte for byte the same."""
    verdict = Verdict()
    seen: dict[tuple[str, str], Arrival] = {}
    for message in messages:
        try:
            arrival = Arrival(stream_of(message), exact.loads(message.payload), message.payload, message)
            identity = arrival.identity
        except (ValueError, KeyError) as error:
            verdict.faults.append(f"no public event at {message.place}: {error!r}")
            continue
        earlier = seen.setdefault(identity, arrival)
        if earlier is arrival:
            verdict.first.append(arrival)
            continue
        verdict.repeats += 1
        verdict.check(repeats_allowed, f"{identity} came twice in a run without faults")
        same = earlier.payload == arrival.payload and earlier.message.place == arrival.message.place
        verdict.check(same, f"{identity} was repeated with other bytes, or at another place")
    return verdict


def judge(messages: Iterable[Message], forecast: Forecast, schemas: dict[str, Draft202012Validator],
          repeats_allowed: bool = False) -> Verdict:
    """All that must hold once everything has arrived."""
    verdict = read(messages, repeats_allowed)
    for arrival in verdict.first:
        _envelope(verdict, arrival)
        _place(verdict, arrival)
        _schema(verdict, arrival, schemas)
    _order(verdict)
    for stream in STREAMS:
        _sequences(verdict, stream)
        _previous(verdict, stream)
        _contents(verdict, stream, forecast)
    return verdict


def same_bytes(mqtt: Verdict, amqp: Verdict) -> list[str]:
    """Public events whose bytes differ between two outlets."""
    theirs = {a.identity: a.payload for a in amqp.first}
    return [f"{a.identity} differs between the outlets" for a in mqtt.first if theirs.get(a.identity, a.payload) != a.payload]


def public_schemas(folder: Path) -> dict[str, Draft202012Validator]:
    """Validators of the public schemas, by `$id`."""
    validators = {}
    for path in sorted(folder.rglob("*.json")):
        schema = json.loads(path.read_text())
        Draft202012Validator.check_schema(schema)
        validators[schema["$id"]] = Draft202012Validator(schema, format_checker=FormatChecker())
    return validators


def _envelope(verdict: Verdict, arrival: Arrival) -> None:
    event, said = arrival.event, arrival.event["id"]
    verdict.check(event.get("specversion") == "1.0", f"{said}: specversion {event.get('specversion')}")
    verdict.check(event["source"] == SOURCES.get(arrival.stream), f"{said}: source {event['source']}")
    for name in ("sequence", "previoussequence"):
        verdict.check(bool(TWENTY_DIGITS.fullmatch(str(event.get(name)))), f"{said}: {name} {event.get(name)}")
    verdict.check(event.get("datacontenttype", "application/json") == "application/json", f"{said}: datacontenttype")
    for name, value in event.items():
        if name != "data":
            verdict.check(bool(re.fullmatch("[a-z0-9]{1,20}", name)), f"{said}: attribute name {name}")
            verdict.check(isinstance(value, str) and value != "", f"{said}: attribute {name} is {value!r}")
    properties = arrival.message.properties
    content_type = properties.get("ContentType") or properties.get("content_type") or ""
    verdict.check(bool(CONTENT_TYPE.fullmatch(content_type)), f"{said}: content type {content_type!r}")


def _place(verdict: Verdict, arrival: Arrival) -> None:
    name, place = arrival.event["type"].split(".")[-2], arrival.message.place
    if "topic" in place:
        wanted = f"{arrival.stream.replace('.', '/')}/{arrival.key}/{name}"
        verdict.check(place["topic"] == wanted, f"topic {place['topic']} instead of {wanted}")
        verdict.check(place["retain"] in ("False", "0"), f"{place['topic']} is retained")
        return
    wanted = f"{ROUTING_PREFIX[arrival.stream]}.{name}"
    verdict.check(place["routing_key"] == wanted, f"routing key {place['routing_key']} instead of {wanted}")
    properties, said = arrival.message.properties, arrival.event["id"]
    verdict.check(properties.get("delivery_mode") == 2, f"{said} is not persistent")
    verdict.check(properties.get("message_id") == said, f"{said}: message_id {properties.get('message_id')}")
    verdict.check(properties.get("type") == arrival.event["type"], f"{said}: type {properties.get('type')}")


def _schema(verdict: Verdict, arrival: Arrival, schemas: dict[str, Draft202012Validator]) -> None:
    dataschema = arrival.event.get("dataschema")
    if dataschema not in schemas:
        verdict.faults.append(f"{arrival.event['id']}: unknown dataschema {dataschema}")
        return
    data = json.loads(arrival.payload)["data"]
    for error in schemas[dataschema].iter_errors(data):
        verdict.faults.append(f"{arrival.event['id']}: {error.json_path} {error.message}")
    declared = set(schemas[dataschema].schema["properties"])
    verdict.check(set(data) <= declared, f"{arrival.event['id']}: undeclared {set(data) - declared}")


def _order(verdict: Verdict) -> None:
    """First arrivals of a key come in the order of the public log."""
    last: dict[tuple[str, str], int] = {}
    for arrival in verdict.first:
        place = (arrival.stream, arrival.key)
        verdict.check(last.get(place, -1) < arrival.sequence,
                      f"{place}: sequence {arrival.sequence} came after {last.get(place)}")
        last[place] = max(last.get(place, -1), arrival.sequence)


def _sequences(verdict: Verdict, stream: str) -> None:
    """`sequence` is gapless and used once."""
    counts = Counter(a.sequence for a in verdict.first if a.stream == stream)
    if counts:
        twice = [s for s, n in counts.items() if n > 1]
        verdict.check(not twice, f"{stream}: sequences used twice: {twice[:5]}")
        missing = max(counts) - min(counts) + 1 - len(counts)
        verdict.check(missing == 0, f"{stream}: {missing} sequences missing between {min(counts)} and {max(counts)}")


def _previous(verdict: Verdict, stream: str) -> None:
    """`previoussequence` is that of the previous event of the same key and type; zeros for the first."""
    last: dict[tuple[str, str], str] = defaultdict(lambda: "0" * 20)
    for arrival in verdict.by_sequence(stream):
        chain = (arrival.key, arrival.event["type"])
        said = arrival.event.get("previoussequence")
        verdict.check(said == last[chain], f"{stream} {chain}: {arrival.sequence} says previous {said}, not {last[chain]}")
        last[chain] = arrival.event["sequence"]


def _contents(verdict: Verdict, stream: str, forecast: Forecast) -> None:
    """Each key has exactly the events called for, in their order, with the text of their numbers and times kept."""
    arrived: dict[str, list[Arrival]] = defaultdict(list)
    for arrival in verdict.by_sequence(stream):
        arrived[arrival.key].append(arrival)
    wanted = forecast.by_key(stream)
    for key in sorted(wanted.keys() | arrived.keys()):
        have, want = arrived.get(key, []), wanted.get(key, [])
        verdict.check(len(have) == len(want), f"{stream} {key}: {len(want)} events are called for, {len(have)} came")
        for got, due in zip(have, want, strict=False):
            if difference := _difference(got, due):
                verdict.faults.append(f"{stream} {key}: {difference}")
                break


def _difference(got: Arrival, due: Expected) -> str | None:
    wanted = {"type": due.rule.type, "time": due.time, "dataschema": due.rule.dataschema, "data": due.data}
    for name, value in wanted.items():
        if got.event.get(name) != value:
            return f"sequence {got.sequence}: {name} is {got.event.get(name)!r}, not {value!r}"
    return None
