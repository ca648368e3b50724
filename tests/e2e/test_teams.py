"""What a platform team does without a daemon: make a folder, check it, test it, preview a contract."""

from __future__ import annotations

import gzip
import json
import shutil
import xml.etree.ElementTree as tree
from pathlib import Path

import pytest
from oracle import ACCOUNTS, forecast, read_events
from places import BINARY, EXAMPLE, SHOP
from rack import Rack
from rig.brokers import Mosquitto
from rig.consumers.mqtt import new_client
from rig.daemon import Daemon
from rig.waiting import wait_until
from teams import horizon

FAILED, MEND = 1, 2
CASES = "contracts/bank.accounts.v1.test.yaml"


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    """A copy of the bank example."""
    return Path(shutil.copytree(EXAMPLE, tmp_path / "bank", ignore=shutil.ignore_patterns("data")))


class OneBroker(Daemon):
    """A daemon whose configuration knows no RabbitMQ."""

    def environment(self) -> dict[str, str]:
        """Without RabbitMQ's port."""
        return {name: value for name, value in super().environment().items() if "RABBIT" not in name}


def spoil(folder: Path, file: str, old: str, new: str) -> None:
    """Changes a file."""
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1))


@pytest.mark.parametrize("folder", [EXAMPLE, SHOP], ids=["bank", "shop"])
def test_both_examples_are_sound_and_pass_their_tests_with_every_entry_touched(folder: Path) -> None:
    assert horizon("check", folder).returncode == 0
    done = horizon("test", folder, "--require-coverage")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 failed" in done.stdout


def test_a_case_that_fails_tells_which_field(bank: Path) -> None:
    spoil(bank, CASES, "amount: 14.60, currency: CZK, reason: fee", "amount: 14.61, currency: CZK, reason: fee")
    spoil(bank, CASES, "filtered: [1]", "unmatched: [1]")
    done = horizon("test", bank)
    assert done.returncode == FAILED
    for words in ("data/amount", "expected: 14.61", "got:      14.60", "must be unmatched, and it is filtered", "2 failed"):
        assert words in done.stdout, done.stdout
    report = json.loads(horizon("test", bank, "--format", "json").stdout)
    assert report["failed"] == 2 and report["passed"] == len(report["cases"]) - 2
    suites = tree.fromstring(horizon("test", bank, "--format", "junit").stdout)
    assert suites.get("failures") == "2" and len(suites.findall(".//failure")) == 2


def test_a_contract_that_changes_fails_its_cases(bank: Path) -> None:
    spoil(bank, "contracts/bank.accounts.v1.yaml", "when: .amount >= 1", "when: .amount >= 0")
    assert horizon("test", bank).returncode == FAILED


def test_mistakes_in_a_file_of_tests_are_told_all_at_once(bank: Path) -> None:
    spoil(bank, CASES, "type: example.bank.account.opened.v1", "type: example.bank.account.opend.v1")
    spoil(bank, CASES, "unmatched: [1, 2, 3]", "unmatchd: [1, 2, 3]")
    spoil(bank, CASES, "event: nothing,", "event: noting,")
    done = horizon("test", bank)
    assert done.returncode == MEND
    for words in ("example.bank.account.opened.v1", "unmatchd", "noting", "nearest: nothing", "bank.accounts.v1.test.yaml:"):
        assert words in done.stderr, done.stderr


def test_what_no_case_touches_is_told_and_can_be_made_to_fail(bank: Path) -> None:
    (bank / "contracts" / "bank.lending.v1.test.yaml").unlink()
    done = horizon("test", bank)
    assert done.returncode == 0 and "bank.lending.v1: example.bank.loan.granted.v1 from LoanGranted" in done.stdout
    assert horizon("test", bank, "--require-coverage").returncode == FAILED


def test_a_preview_of_a_file_counts_what_the_daemon_would(bank: Path, some_events: Path, tmp_path: Path) -> None:
    packed = tmp_path / "events.jsonl.gz"
    packed.write_bytes(gzip.compress(some_events.read_bytes()))
    due = forecast(read_events(some_events))
    config = ("--config", bank / "horizon.yaml")
    for file in (some_events, packed):
        done = horizon("preview", ACCOUNTS, "--events", file, "--format", "json", *config)
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        assert told["events"] == due.private
        assert sum(one["events"] for one in told["crossed"].values()) == due.count(ACCOUNTS)
        assert told["filtered"]["events"] == due.filtered[ACCOUNTS] > 0
        assert told["violated"]["events"] == 0 and told["parked"] == {"keys": 0, "waiting": 0, "full": None}
    shown = horizon("preview", bank / "contracts" / "bank.accounts.v1.yaml", "--events", some_events, "--show-all", *config)
    events = [json.loads(line) for line in shown.stdout.splitlines()]
    assert len(events) == due.count(ACCOUNTS) and "filtered" in shown.stderr
    assert [int(event["sequence"]) for event in events] == list(range(1, len(events) + 1))
    assert not (bank / "data").exists(), "nothing is written"


def test_a_preview_tells_the_first_violation_and_who_would_wait(bank: Path, tmp_path: Path) -> None:
    def deposit(nth: int, account: str, amount: float) -> str:
        data = {"transactionId": str(nth), "accountId": account, "amount": amount, "currency": "CZK", "balance": 1}
        return json.dumps({"id": f"e{nth}", "stream": f"account-{account}", "type": "CashDeposited", "data": data})

    events = tmp_path / "events.jsonl"
    lines = [deposit(1, "1", 5), deposit(2, "1", 0), deposit(3, "1", 6), deposit(4, "2", 7), deposit(5, "1", 0)]
    events.write_text("\n".join(lines))
    done = horizon("preview", ACCOUNTS, "--events", events, "--format", "json", "--config", bank / "horizon.yaml")
    told = json.loads(done.stdout)
    assert told["violated"]["events"] == 2 and told["violated"]["first"] == "line 2: CashDeposited e2"
    assert told["violated"]["violation"]["violations"][0]["pointer"] == "/amount"
    assert told["parked"] == {"keys": 1, "waiting": 2, "full": None}
    assert sum(one["events"] for one in told["crossed"].values()) == 2
    text = horizon("preview", ACCOUNTS, "--events", events, "--config", bank / "horizon.yaml").stdout
    assert "must be more than 0" in text and "2 events would wait" in text


def test_a_preview_counts_what_an_import_would_refuse(bank: Path, tmp_path: Path) -> None:
    data = {"transactionId": "1", "accountId": "1", "amount": 5, "currency": "CZK", "balance": 1}
    lines = [
        {"id": "e1", "stream": "account-1", "type": "CashDeposited", "data": data},
        {"id": "e2", "stream": "account-1", "type": "CashDeposited", "data": data | {"amount": "much"}},
        {"id": "e3", "stream": "account-1", "type": "NobodyKnows", "data": {}},
    ]
    events = tmp_path / "events.jsonl"
    events.write_text("\n".join(map(json.dumps, lines)))
    arguments = ("preview", ACCOUNTS, "--events", events, "--config", bank / "horizon.yaml")
    flagged = json.loads(horizon(*arguments, "--format", "json").stdout)
    assert flagged["violated"]["events"] == 1 and flagged["refused"]["events"] == 1
    assert "there is no schema for it" in flagged["refused"]["refusal"]["help"]
    with (bank / "horizon.yaml").open("a") as config:
        config.write("\nprivate_schemas: { import: reject }\n")
    told = json.loads(horizon(*arguments, "--format", "json").stdout)
    assert told["events"] == 3 and told["violated"]["events"] == 0
    assert sum(one["events"] for one in told["crossed"].values()) == 1
    assert (told["refused"]["events"], told["refused"]["first"]) == (2, "line 2: CashDeposited e2")
    assert told["refused"]["refusal"]["violations"] == [{"pointer": "/amount", "reason": "must be number"}]
    text = horizon(*arguments).stdout
    assert "2  refused by `horizon import`   first: line 2: CashDeposited e2" in text and "/amount must be number" in text


def test_a_preview_of_stored_history_tells_what_crossed(rack: Rack, some_events: Path) -> None:
    rack.import_file(some_events)
    rack.wait_settled()
    due = forecast(read_events(some_events))
    told = json.loads(rack.daemon.run("preview", ACCOUNTS, "--format", "json").stdout)
    assert sum(one["events"] for one in told["crossed"].values()) == due.count(ACCOUNTS)
    busy = rack.daemon.run("preview", ACCOUNTS, "--store", rack.daemon.folder / "data")
    assert busy.returncode == FAILED and "mend" in busy.stderr
    rack.daemon.stop()
    stopped = json.loads(rack.daemon.run("preview", ACCOUNTS, "--store", rack.daemon.folder / "data", "--format", "json").stdout)
    assert stopped == told


def test_a_new_folder_works_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "team"
    done = horizon("init", folder)
    assert done.returncode == 0, done.stderr
    assert horizon("check", cwd=folder).returncode == 0
    tested = horizon("test", "--require-coverage", cwd=folder)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert horizon("catalog", cwd=folder).returncode == 0
    again = horizon("init", folder)
    assert again.returncode == MEND and "horizon.yaml" in again.stderr


def test_a_new_folder_may_hold_other_files_and_none_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert horizon("init", tmp_path).returncode == 0
    assert (tmp_path / "notes.txt").read_text() == "mine"
    other = tmp_path / "other"
    (other / "contracts").mkdir(parents=True)
    (other / "contracts" / "_defaults.yaml").write_text("horizon: 1\n")
    assert horizon("init", other).returncode == MEND
    assert not (other / "horizon.yaml").exists(), "all or nothing"


def test_a_new_folder_serves_and_publishes_to_a_mosquitto(tmp_path: Path) -> None:
    folder = tmp_path / "team"
    assert horizon("init", folder).returncode == 0
    mosquitto = Mosquitto(tmp_path, False)
    mosquitto.start()
    heard: list[str] = []
    client = new_client("listener")
    client.on_message = lambda _client, _data, message: heard.append(message.topic)
    daemon = OneBroker(BINARY, folder, mosquitto.port, amqp_port=0)
    try:
        client.connect("127.0.0.1", mosquitto.port)
        client.subscribe("example/#", 1)
        client.loop_start()
        daemon.start()
        event = {"id": "1", "type": "ParcelSent", "data": {"parcelId": "17", "weightGrams": 5, "recipient": {"name": "Ada"}}}
        assert daemon.http("POST", "/streams/parcel-17", event).status == 201
        wait_until(lambda: heard, "the event arrives", 20, 0.05)
        assert heard == ["example/parcels/v1/17/sent"]
    finally:
        client.loop_stop()
        daemon.kill()
        mosquitto.stop()
