"""Contracts and schemas of a running daemon are loaded again, all or nothing, and nothing in flight is lost or doubled by it."""

from __future__ import annotations

import random
import signal
import threading
from pathlib import Path

import pytest
from facts import card, deposit
from jsonschema import Draft202012Validator
from judges import judge, read
from oracle import ACCOUNTS, LENDING, forecast, read_events
from parking import CONTRACT, CREDITED, change, refused_reload, reload
from rack import Rack
from rig.daemon import Daemon
from rig.waiting import wait_until

RELOADS = 20
SEED = 20263


def append(daemon: Daemon, event: dict[str, object], account: str = "1") -> int:
    """Appends one event; gives the answer's status."""
    return daemon.http("POST", f"/streams/account-{account}", event).status


def test_a_broken_file_changes_nothing_and_is_told_to_the_caller_in_the_status_and_in_the_log(rack: Rack) -> None:
    daemon = rack.daemon
    before = daemon.contract(ACCOUNTS)
    assert before["fingerprint"] and before["loaded"]
    change(daemon, CONTRACT, "key: .accountId", "kee: .accountId")
    done = refused_reload(daemon)
    assert "bank.accounts.v1.yaml:" in done.stderr and "kee" in done.stderr and "key" in done.stderr
    answer = daemon.operator("POST", "/reload", {})
    assert answer.status == 422 and answer.json()["type"].endswith(":reload-refused")
    assert any("kee" in e["message"] and e["line"] for e in answer.json()["errors"])
    error = daemon.status()["loading"]["lastError"]
    assert error["at"] and "kee" in error["reason"]
    assert "kee" in daemon.run("status").stdout and "kee" in daemon.log.read_text()
    assert daemon.contract(ACCOUNTS)["fingerprint"] == before["fingerprint"]
    assert append(daemon, deposit("1")) == 201
    rack.wait_settled()
    rack.wait_received(1)

    # Two schemas, of which one is broken: neither is taken.
    change(daemon, CONTRACT, "kee: .accountId", "key: .accountId")
    change(daemon, CREDITED, '"exclusiveMinimum": 0', '"exclusiveMinimum": "0"')
    private = daemon.folder / "schemas/private/account/Refund.json"
    private.write_text((daemon.folder / "schemas/private/account/CashDeposited.json").read_text())
    refused_reload(daemon)
    refund = deposit("1") | {"type": "Refund"}
    assert append(daemon, refund) == 422
    change(daemon, CREDITED, '"exclusiveMinimum": "0"', '"exclusiveMinimum": 0')
    daemon.process.send(signal.SIGHUP)
    wait_until(lambda: daemon.status()["loading"]["lastError"] is None, "SIGHUP loads what is mended", 30, state=daemon.status)
    assert append(daemon, refund) == 201, "the door knows the new schema"


def test_a_repeat_is_answered_as_the_first_time_though_its_schema_has_become_stricter(rack: Rack) -> None:
    daemon = rack.daemon
    event = deposit("1")
    first = daemon.http("POST", "/streams/account-1", event)
    assert first.status == 201
    change(daemon, Path("schemas/private/account/CashDeposited.json"), '"minimum": 0', '"minimum": 1000')
    reload(daemon)
    assert append(daemon, deposit("1")) == 422, "what is new must fit"
    again = daemon.http("POST", "/streams/account-1", event)
    assert again.status == 200 and again.json() == first.json() | {"repeat": True}
    other = event | {"data": event["data"] | {"amount": 7}}
    assert append(daemon, other) == 409, "another event under an id that is taken"


def test_what_never_changes_is_refused_and_what_needs_a_restart_is_said(rack: Rack) -> None:
    daemon = rack.daemon
    change(daemon, CONTRACT, "//bank.example/accounts/v1", "//bank.example/accounts/other")
    done = refused_reload(daemon)
    assert "`source`" in done.stderr and "major version" in done.stderr
    change(daemon, CONTRACT, "//bank.example/accounts/other", "//bank.example/accounts/v1")
    change(daemon, Path("horizon.yaml"), "shutdown_deadline_seconds: 20", "shutdown_deadline_seconds: 21")
    change(daemon, Path("horizon.yaml"), "virtual_host: /", "virtual_host: /other")
    done = reload(daemon)
    assert done["restartNeeded"] == ["brokers.rabbit.amqp.virtual_host", "shutdown_deadline_seconds"]
    assert done["relays"] == {"started": [], "stopped": []}
    assert "brokers.rabbit.amqp.virtual_host" in daemon.run("status").stdout
    change(daemon, Path("horizon.yaml"), "horizon: 1", "horizon: 1\nnonsense: 2")
    assert "nonsense" in refused_reload(daemon).stderr


def test_contracts_and_outlets_come_change_and_go_and_the_others_are_left_alone(rack: Rack) -> None:
    daemon = rack.daemon
    assert append(daemon, deposit("1")) == 201
    rack.wait_settled()
    change(daemon, CONTRACT, "bank/accounts/v1/{key}/{name}", "bank/accounts/v1/all/{name}")
    change(daemon, CONTRACT, "version: 1.0.0", "version: 1.1.0")
    lending = daemon.folder / "contracts/bank.lending.v1.yaml"
    text = lending.read_text()
    lending.unlink()
    done = reload(daemon)
    assert done["relays"]["started"] == [f"{ACCOUNTS}/mqtt:main"]
    assert done["relays"]["stopped"] == [f"{ACCOUNTS}/mqtt:main", f"{LENDING}/amqp:rabbit", f"{LENDING}/mqtt:main"]
    assert [(c["contract"], c["version"], c["changed"]) for c in done["contracts"]] == [(ACCOUNTS, "1.1.0", True)]
    assert [c["contract"] for c in daemon.status()["contracts"]] == [ACCOUNTS]
    assert append(daemon, deposit("1")) == 201
    rack.wait_settled()
    rack.wait_received(2)
    topics = [m.place["topic"] for m in rack.mqtt.messages()]
    assert topics == ["bank/accounts/v1/1/credited", "bank/accounts/v1/all/credited"]
    assert [m.place["exchange"] for m in rack.amqp.messages()] == [ACCOUNTS, ACCOUNTS]
    lending.write_text(text)
    done = reload(daemon)
    assert sorted(done["relays"]["started"]) == [f"{LENDING}/amqp:rabbit", f"{LENDING}/mqtt:main"]
    assert append(daemon, card("1")) == 201
    rack.wait_settled()
    assert daemon.contract(LENDING)["unmatched"] >= 3, "it went on where it was"


@pytest.mark.timeout(300)
def test_nothing_is_lost_doubled_or_disordered_by_reloads_under_load(
    rack: Rack, real_events: Path, schemas: dict[str, Draft202012Validator],
) -> None:
    daemon, dice = rack.daemon, random.Random(SEED)
    importing = threading.Thread(target=rack.import_file, args=(real_events,))
    importing.start()
    contract = daemon.folder / CONTRACT
    sound, refused = contract.read_text(), 0
    for number in range(RELOADS):
        head = daemon.status()["log"]["head"]
        wait_until(lambda head=head: daemon.status()["log"]["head"] > head or not importing.is_alive(), "events come in", 30)
        if dice.random() < 0.3:
            contract.write_text(sound.replace("credited.v1.json", "creditd.v1.json"))
            refused_reload(daemon)
            refused += 1
            continue
        # Another version, and every other time other outlets: their relays stop and start again amid what they send.
        policy = ", unheard: wait" if number % 2 else ""
        changed = sound.replace("version: 1.0.0", f"version: 1.0.{number}").replace("qos: 1 }", f"qos: 1{policy} }}")
        contract.write_text(changed.replace('account.{name}" }', f'account.{{name}}"{policy} }}'))
        reload(daemon)
    assert 0 < refused < RELOADS
    importing.join(180)
    assert not importing.is_alive()
    due = forecast(read_events(real_events))
    rack.wait_settled(180)
    rack.wait_received(due.count(), 180)
    for consumer in (rack.mqtt, rack.amqp):
        consumer.stop()
        verdict = judge(consumer.messages(), due, schemas)
        verdict.assert_good()
        assert len({a.sequence for a in read(consumer.messages()).first if a.stream == ACCOUNTS}) == len(due.public[ACCOUNTS])
    assert daemon.status()["log"]["events"] == due.private
