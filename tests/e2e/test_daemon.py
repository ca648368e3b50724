"""The daemon's life: configuration, start, appends and reads, stop, and start again."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from facts import deposit
from jsonschema import Draft202012Validator
from judges import judge
from oracle import forecast, read_events
from rack import Rack
from rig.daemon import Daemon
from rig.ports import free_ports
from rig.waiting import wait_until

MEND = 2


def test_an_unknown_key_in_the_configuration_is_refused_with_its_place(lone_daemon: Daemon) -> None:
    lone_daemon.config.write_text(lone_daemon.config.read_text() + "\nshutdown_deadline_secnds: 3\n")
    done = lone_daemon.run("serve")
    lines = lone_daemon.config.read_text().splitlines()
    assert done.returncode == MEND
    assert "shutdown_deadline_secnds" in done.stderr and str(len(lines)) in done.stderr


def test_an_unknown_variable_is_refused_with_its_name(lone_daemon: Daemon) -> None:
    lone_daemon.env["HORIZON_HTTP__LISTENN"] = "127.0.0.1:1"
    done = lone_daemon.run("serve")
    assert done.returncode == MEND and "listenn" in done.stderr.lower()


def test_the_environment_wins_over_the_file_and_a_flag_over_both(lone_daemon: Daemon) -> None:
    in_environment, in_flag = free_ports(2)
    lone_daemon.env["HORIZON_HTTP__LISTEN"] = f"127.0.0.1:{in_environment}"
    lone_daemon.start()
    assert lone_daemon.addresses()["http"] == f"127.0.0.1:{in_environment}", "the file says 8480"
    assert lone_daemon.stop() == 0
    lone_daemon.start("--listen", f"127.0.0.1:{in_flag}")
    assert lone_daemon.addresses()["http"] == f"127.0.0.1:{in_flag}"


def test_a_port_that_is_taken_is_told(lone_daemon: Daemon) -> None:
    (port,) = free_ports(1)
    lone_daemon.start("--listen", f"127.0.0.1:{port}")
    second = lone_daemon.run("serve", "--listen", f"127.0.0.1:{port}", "--data", str(lone_daemon.folder / "other"))
    assert second.returncode != 0 and str(port) in second.stderr


def test_health_is_answered_by_both_listeners(daemon: Daemon) -> None:
    assert daemon.http("GET", "/health").status == 200
    assert daemon.operator("GET", "/health").status == 200


def test_an_append_is_answered_read_back_and_repeated(daemon: Daemon) -> None:
    path = "/streams/account-42"
    event = deposit("42") | {"data": deposit("42")["data"] | {"amount": 10.50}}
    raw = (f'{{"id":"{event["id"]}","type":"CashDeposited","time":"2026-01-31T12:00:00+01:00","data":{{"transactionId":"1",'
           '"accountId":"42","amount":10.50,"currency":"CZK","balance":1e2}}').encode()
    first = daemon.http("POST", path, raw, {"If-None-Match": "*"})
    assert first.status == 201 and first.json()["revision"] == 1 and "etag" in first.headers
    assert first.headers["location"].startswith(path)
    again = daemon.http("POST", path, raw, {"If-None-Match": "*"})
    assert again.status == 200 and again.json() == first.json() | {"repeat": True}

    read = daemon.http("GET", path)
    assert read.status == 200 and read.headers["etag"] == first.headers["etag"]
    assert b'"amount":10.50,' in read.body and b'"balance":1e2' in read.body, "number text is kept"
    assert read.json()["events"][0]["event"]["time"] == "2026-01-31T12:00:00+01:00"

    second = daemon.http("POST", path, deposit("42"), {"If-Match": first.headers["etag"]})
    assert second.status == 201 and second.json()["revision"] == 2
    page = daemon.http("GET", f"{path}?from=2&limit=1").json()
    assert [e["revision"] for e in page["events"]] == [2] and page["revision"] == 2


def test_of_many_writers_with_one_expectation_exactly_one_wins(daemon: Daemon) -> None:
    answers: list[int] = []
    writers = [threading.Thread(target=lambda: answers.append(
        daemon.http("POST", "/streams/account-7", deposit("7"), {"If-None-Match": "*"}).status)) for _ in range(16)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sorted(answers) == [201] + [412] * 15


def test_sigterm_drains_and_a_restart_goes_on_without_a_repeat(
    rack: Rack, some_events: Path, schemas: dict[str, Draft202012Validator],
) -> None:
    due = forecast(read_events(some_events))
    rack.import_file(some_events)
    started = time.monotonic()
    assert rack.daemon.stop(25) == 0, rack.daemon.process.tail()
    assert time.monotonic() - started < 22, "the deadline is 20 seconds"
    rack.daemon.start()
    rack.wait_settled()
    rack.wait_received(due.count())
    judge(rack.mqtt.messages(), due, schemas).assert_good()
    judge(rack.amqp.messages(), due, schemas).assert_good()


def test_sigterm_ends_in_time_though_no_broker_answers(daemon: Daemon) -> None:
    assert daemon.http("POST", "/streams/account-1", deposit("1")).status == 201
    wait_until(lambda: all(r["lastError"] for r in daemon.status()["relays"]), "every relay has tried", 20)
    started = time.monotonic()
    assert daemon.stop(25) == 0, daemon.process.tail()
    assert time.monotonic() - started < 22


def test_appends_answered_before_sigkill_are_there_after_it(daemon: Daemon) -> None:
    acknowledged: list[str] = []
    stopped = threading.Event()

    def write(account: int) -> None:
        while not stopped.is_set():
            event = deposit(str(account))
            try:
                if daemon.http("POST", f"/streams/account-{account}", event).status == 201:
                    acknowledged.append(event["id"])
            except (OSError, ValueError):
                return

    writers = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for writer in writers:
        writer.start()
    wait_until(lambda: len(acknowledged) > 200, "appends are under way", 30)
    daemon.kill()
    stopped.set()
    for writer in writers:
        writer.join()
    daemon.start()
    stored = set()
    for account in range(4):
        link: str | None = f"/streams/account-{account}?limit=1000"
        while link:
            page = daemon.http("GET", link).json()
            stored |= {e["event"]["id"] for e in page["events"]}
            link = page.get("next")
    assert set(acknowledged) <= stored
