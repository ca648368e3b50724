"""Nothing private leaves: not a personal value, not a stream's name, not a private id, in no byte and in no encoding."""

from __future__ import annotations

import base64
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from canaries import MARK, admit_canaries, find, put_canaries
from oracle import RULES, forecast, read_events
from rack import Brokers, Rack, rack_on
from tap import Tap


@pytest.fixture
def taps(tmp_path: Path, brokers: Brokers) -> Iterator[tuple[Tap, Tap]]:
    """Taps on the way to both brokers."""
    mqtt = Tap(brokers.mosquitto.port, tmp_path / "to-mosquitto.bytes")
    amqp = Tap(brokers.rabbitmq.port, tmp_path / "to-rabbitmq.bytes")
    yield mqtt, amqp
    mqtt.close()
    amqp.close()


@pytest.mark.parametrize("hide", [
    str.encode,
    lambda text: text.upper().encode(),
    lambda text: urllib.parse.quote(f"é {text}").encode(),
    lambda text: "".join(f"%{ord(c):02X}" for c in text).encode(),
    lambda text: base64.b64encode(text.encode()),
    lambda text: base64.b64encode(b"a" + text.encode() + b"zzz"),
    lambda text: base64.b64encode(b"ab" + text.encode()),
    lambda text: base64.urlsafe_b64encode(b"abc" + text.encode()),
])
def test_the_search_finds_a_canary_however_it_is_hidden(hide: Callable[[str], bytes]) -> None:
    assert find(b"..." + hide(f"{MARK}stream000017") + b"...")


@pytest.mark.timeout(420)
def test_no_canary_is_in_any_byte_that_left(
    tmp_path: Path, brokers: Brokers, taps: tuple[Tap, Tap], real_events: Path,
) -> None:
    events = tmp_path / "canaries.jsonl"
    canaries = put_canaries(read_events(real_events), events)
    assert len(canaries) > 1_000 and find(events.read_bytes()) == ["plain"]
    due = forecast(read_events(events))

    mqtt_tap, amqp_tap = taps
    with rack_on(tmp_path, brokers, mqtt_tap.port, amqp_tap.port, start=False) as rack:
        admit_canaries(rack.daemon.folder / "schemas" / "private")
        rack.daemon.env["HORIZON_LOG"] = "horizon=trace,horizon_store=trace,horizon_schemas=trace,info"
        rack.daemon.start()
        _refused_event_is_not_logged(rack)
        rack.import_file(events)
        rack.wait_settled(180)
        rack.wait_received(due.count())
        assert rack.daemon.stop() == 0

        mqtt_tap.close()
        amqp_tap.close()
        left = {name: (tmp_path / name).read_bytes() for name in ("to-mosquitto.bytes", "to-rabbitmq.bytes")}
        assert all(len(sent) > 100 * due.count() for sent in left.values()), "the taps were on the way"
        for name in ("mqtt.jsonl", "amqp.jsonl"):
            left[name] = (tmp_path / name).read_bytes()
        for name, consumer in (("MQTT payloads", rack.mqtt), ("AMQP payloads", rack.amqp)):
            left[name] = b"\n".join(message.payload for message in consumer.messages())
        left["the daemon's log"] = rack.daemon.log.read_bytes()

    for name, sent in left.items():
        assert not find(sent), f"a canary is in {name}, {', '.join(find(sent))}"
    for private_type in [*RULES, "ClientRegistered", "AccountHolderAdded", "CardIssued"]:
        for name in ("to-mosquitto.bytes", "to-rabbitmq.bytes"):
            assert private_type.encode() not in left[name], f"the private type {private_type} is in {name}"


def _refused_event_is_not_logged(rack: Rack) -> None:
    """A refusal must not put the refused values into the log either."""
    event = {"id": f"{MARK}refused", "type": "ClientRegistered", "data": {"birthNumber": f"{MARK}refused", "sex": 7}}
    assert rack.daemon.http("POST", f"/streams/client-{MARK}refused", event).status == 422
    assert rack.daemon.http("POST", f"/streams/client-{MARK}refused", f'{{"id": "{MARK}'.encode()).status == 400
