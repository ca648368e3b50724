"""The main job: all of the bank's events go in, and exactly what the contracts call for comes out at both brokers."""

from __future__ import annotations

from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from judges import judge, same_bytes
from oracle import ACCOUNTS, LENDING, STREAMS, forecast, read_events
from rack import Rack, relays


@pytest.mark.timeout(420)
def test_every_public_event_arrives_once_in_order_and_valid_at_both_brokers(
    rack: Rack, real_events: Path, schemas: dict[str, Draft202012Validator],
) -> None:
    due = forecast(read_events(real_events))
    assert due.filtered[ACCOUNTS] and due.filtered[LENDING], "the events have something to filter"

    rack.import_file(real_events)
    rack.wait_settled()
    rack.wait_received(due.count())

    status = rack.daemon.status()
    assert status["log"]["events"] == due.private
    for stream in STREAMS:
        contract = rack.daemon.contract(stream)
        assert contract["crossed"] == due.count(stream)
        assert contract["filtered"] == due.filtered[stream]
        assert contract["violated"] == 0 and contract["parkedKeys"] == 0
    for relay in relays():
        state = rack.daemon.relay(relay)
        stream = relay.partition("/")[0]
        assert (state["confirmed"], state["unheard"], state["parked"]) == (due.count(stream), 0, 0), relay

    over_mqtt = judge(rack.mqtt.messages(), due, schemas)
    over_amqp = judge(rack.amqp.messages(), due, schemas)
    over_mqtt.assert_good()
    over_amqp.assert_good()
    assert not same_bytes(over_mqtt, over_amqp)
