"""The disk: the two low-space marks, and a sync that fails."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from disk import MIB, Disk, compile_shim, put_under
from facts import deposit
from oracle import ACCOUNTS
from rack import Brokers, rack_on
from rig.daemon import Daemon
from rig.ports import free_ports
from rig.waiting import wait_until

APPENDS, CROSSING = "HORIZON_DISK__APPENDS_MIN_FREE_BYTES", "HORIZON_DISK__CROSSING_MIN_FREE_BYTES"


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled shim."""
    return compile_shim(tmp_path_factory.mktemp("shim"))


@pytest.fixture
def disk(lone_daemon: Daemon, shim: Path) -> Iterator[Disk]:
    """A disk with marks at 1,000 and 500 MiB under a daemon that is not started yet."""
    lone_daemon.env |= {APPENDS: str(1_000 * MIB), CROSSING: str(500 * MIB)}
    return put_under(lone_daemon, shim)


def refused(daemon: Daemon) -> dict[str, bool]:
    """What `/status` says is refused."""
    return {name: told for name, told in daemon.status()["disk"].items() if name.endswith("Refused")}


def append(daemon: Daemon, account: str) -> int:
    """Appends one event; returns the status."""
    return daemon.http("POST", f"/streams/account-{account}", deposit(account)).status


def test_appends_are_refused_with_507_while_the_disk_is_low_and_taken_again(disk: Disk, some_events: Path) -> None:
    daemon = disk.daemon
    disk.set_free(2_000)
    daemon.start()
    assert append(daemon, "1") == 201

    disk.set_free(900)
    wait_until(lambda: refused(daemon) == {"appendsRefused": True, "crossingRefused": False}, "the disk is seen", 20)
    answer = daemon.http("POST", "/streams/account-1", deposit("1"))
    problem = answer.json()
    assert answer.status == 507 and answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) > 0
    assert problem["type"] == "urn:horizon:problem:disk-low" and problem["mend"]
    assert (problem["freeBytes"], problem["neededBytes"]) == (900 * MIB, 1_050 * MIB)
    assert len(daemon.http("GET", "/streams/account-1").json()["events"]) == 1, "reads go on"
    health = daemon.http("GET", "/health")
    assert health.status == 200 and b"the disk is low" in health.body, "a restart would not mend it"
    assert "appends are refused" in daemon.run("status").stdout

    told = daemon.run("import", some_events, "--wait", "1")
    assert told.returncode == 1 and "low" in told.stderr and "mend" in told.stderr
    waiting = subprocess.Popen(daemon.command("import", some_events), env=daemon.environment(), text=True,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    time.sleep(0.5)
    assert waiting.poll() is None and daemon.status()["log"]["events"] == 1
    disk.set_free(1_100)
    output, _ = waiting.communicate(timeout=60)
    assert waiting.returncode == 0, output
    assert append(daemon, "1") == 201
    assert daemon.http("GET", "/health").body == b"ok\n"
    log = daemon.log.read_text()
    assert log.count("the disk is low") == 1 and log.count("the disk has room") == 1, log


def test_publishing_goes_on_while_the_crossing_waits_for_room(tmp_path: Path, brokers: Brokers, shim: Path) -> None:
    with rack_on(tmp_path, brokers, *free_ports(2), start=False) as rack:
        daemon = rack.daemon
        daemon.env |= {APPENDS: "0", CROSSING: str(500 * MIB)}
        disk = put_under(daemon, shim)
        disk.set_free(2_000)
        daemon.start()
        assert [append(daemon, str(n)) for n in range(10)] == [201] * 10
        wait_until(lambda: daemon.contract(ACCOUNTS)["crossed"] == 10, "all has crossed", 20)
        assert daemon.stop() == 0 and rack.mqtt.count() == 0, "no broker was there"

        disk.set_free(400)
        daemon.mqtt_port, daemon.amqp_port = brokers.mosquitto.port, brokers.rabbitmq.port
        daemon.start()
        assert append(daemon, "later") == 201
        rack.wait_received(10)
        wait_until(lambda: daemon.relay(f"{ACCOUNTS}/mqtt:main")["lag"] == 0, "what has crossed is settled", 20)
        assert refused(daemon) == {"appendsRefused": False, "crossingRefused": True}
        assert daemon.contract(ACCOUNTS)["crossed"] == 10
        assert "nothing crosses" in daemon.run("status").stdout
        started = time.monotonic()
        assert daemon.stop() == 0, "a crossing that waits does not hold up the stop"
        assert time.monotonic() - started < 15

        daemon.start()
        disk.set_free(600)
        rack.wait_received(11)


def test_after_a_failed_sync_the_daemon_says_so_and_a_restart_has_all_that_was_answered(disk: Disk) -> None:
    daemon = disk.daemon
    disk.fail_sync(60)
    daemon.start()
    answers = [append(daemon, "1")]
    while answers[-1] == 201 and len(answers) < 200:
        answers.append(append(daemon, "1"))
    assert answers[-1] == 503, answers
    assert [append(daemon, "1") for _ in range(3)] == [503] * 3, "later syncs would succeed; nothing is tried"
    problem = daemon.http("POST", "/streams/account-1", deposit("1")).json()
    assert problem["type"] == "urn:horizon:problem:store-unavailable" and "restart" in problem["detail"]
    health = daemon.operator("GET", "/health")
    assert health.status == 503 and "stopped writing" in health.json()["detail"]
    health = daemon.http("GET", "/health")
    assert health.status == 503 and "detail" not in health.json(), "everybody may ask there: why is for operators"
    answered = answers.count(201)
    events = daemon.http("GET", "/streams/account-1?limit=1000").json()["events"]
    assert len(events) == answered, "reads go on, and show only what is durable"
    assert "ended until a restart: the store has stopped writing" in daemon.run("status").stdout

    assert daemon.stop() == 1, "a stop that could not write all says so"
    disk.mend()
    daemon.start()
    assert len(daemon.http("GET", "/streams/account-1?limit=1000").json()["events"]) in (answered, answered + 1)
    assert append(daemon, "1") == 201
    assert daemon.http("GET", "/health").status == 200
