"""The judges are judged: a delivery made from the forecast is good, and each way of spoiling it is seen."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import exact
import pytest
from jsonschema import Draft202012Validator
from judges import judge
from oracle import SOURCES, Forecast, forecast, read_events
from rig.inbox import Message

Delivery = list[Message]


def perfect(due: Forecast) -> Delivery:
    """What a subscriber would receive if all went well."""
    messages: Delivery = []
    sequences: Counter[str] = Counter()
    last: dict[tuple[str, str, str], str] = defaultdict(lambda: "0" * 20)
    for stream, events in due.public.items():
        for expected in events:
            sequences[stream] += 1
            sequence, chain = f"{sequences[stream]:020}", (stream, expected.key, expected.rule.type)
            event = {"specversion": "1.0", "id": f"{expected.private_id}/{stream}", "source": SOURCES[stream],
                     "type": expected.rule.type, "time": expected.time, "datacontenttype": "application/json",
                     "dataschema": expected.rule.dataschema, "partitionkey": expected.key, "sequence": sequence,
                     "previoussequence": last[chain], "data": expected.data}
            last[chain] = sequence
            topic = f"{stream.replace('.', '/')}/{expected.key}/{expected.rule.name}"
            messages.append(Message(0, {"topic": topic, "qos": "1", "retain": "False"},
                                    {"ContentType": "application/cloudevents+json; charset=utf-8"},
                                    exact.dumps(event).encode()))
    return messages


@pytest.fixture(scope="module")
def due(some_events: Path) -> Forecast:
    """What the made-up events call for."""
    return forecast(read_events(some_events))


def test_a_perfect_delivery_is_good(due: Forecast, schemas: dict[str, Draft202012Validator]) -> None:
    verdict = judge(perfect(due), due, schemas)
    verdict.assert_good()
    assert len(verdict.first) == due.count()


def rewrite(messages: Delivery, at: int, old: bytes, new: bytes) -> None:
    """Changes a payload."""
    changed = messages[at].payload.replace(old, new, 1)
    assert changed != messages[at].payload
    messages[at] = dataclasses.replace(messages[at], payload=changed)


def lose_one(messages: Delivery) -> None:
    """One message is missing."""
    del messages[700]


def lose_the_last(messages: Delivery) -> None:
    """The end of a stream is missing, which no gap shows."""
    del messages[-1]


def repeat_one(messages: Delivery) -> None:
    """One message comes twice."""
    messages.append(messages[700])


def repeat_one_changed(messages: Delivery) -> None:
    """A repeat differs."""
    messages.append(messages[700])
    rewrite(messages, -1, b'"time"', b' "time"')


def swap_two_of_a_key(messages: Delivery) -> None:
    """Two messages of one key change places."""
    key = messages[3].place["topic"].split("/")[3]
    first, second = [n for n, m in enumerate(messages) if m.place["topic"].split("/")[3] == key][:2]
    messages[first], messages[second] = messages[second], messages[first]


def rewrite_a_number(messages: Delivery) -> None:
    """A number keeps its value and loses its text."""
    at = next(n for n, m in enumerate(messages) if b'.0,"currency"' in m.payload)
    rewrite(messages, at, b'.0,"currency"', b',"currency"')


def leak_a_field(messages: Delivery) -> None:
    """A field crosses that no schema declares."""
    at = next(n for n, m in enumerate(messages) if b'"currency":"CZK"' in m.payload)
    rewrite(messages, at, b'"currency":"CZK"', b'"currency":"CZK","balance":1')


def break_the_chain(messages: Delivery) -> None:
    """A previoussequence points elsewhere."""
    rewrite(messages, 700, b'"previoussequence":"0', b'"previoussequence":"1')


def change_the_time(messages: Delivery) -> None:
    """A time is written in another way."""
    rewrite(messages, 700, b'T00:00:00Z"', b'T00:00:00.000Z"')


def change_the_topic(messages: Delivery) -> None:
    """A message arrives elsewhere."""
    place = {**messages[700].place, "topic": messages[700].place["topic"] + "x"}
    messages[700] = dataclasses.replace(messages[700], place=place)


@pytest.mark.parametrize("spoil", [
    lose_one, lose_the_last, repeat_one, repeat_one_changed, swap_two_of_a_key, rewrite_a_number, leak_a_field,
    break_the_chain, change_the_time, change_the_topic,
])
def test_a_spoilt_delivery_is_seen(due: Forecast, schemas: dict[str, Draft202012Validator],
                                   spoil: Callable[[Delivery], None]) -> None:
    messages = perfect(due)
    spoil(messages)
    assert judge(messages, due, schemas, repeats_allowed=spoil is repeat_one_changed).faults
