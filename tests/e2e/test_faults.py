"""Connections that break, hang and crawl before one broker: nothing is lost there, and nothing waits elsewhere."""

from __future__ import annotations

import json
import os
import random
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import exact
import pytest
from chaos import assert_nothing_lost, split
from facts import deposit
from faults import (
    PROTOCOLS,
    Proxied,
    allow_long_currencies,
    by_protocol,
    option,
    other,
    proxied_rack,
    states,
    wait_connected,
    wait_state,
)
from jsonschema import Draft202012Validator
from judges import Verdict, judge, public_schemas
from oracle import forecast, read_events
from rack import Brokers
from rig.daemon import Daemon
from rig.waiting import wait_until

Schemas = dict[str, Draft202012Validator]

SEED = int(os.environ.get("FAULTS_SEED", "20263"))
CUTS = 6
BIG_EVENTS, BIG_EVENT_BYTES = 500, 200_000
# 16 MiB that the relay holds, 16 MiB of the session in flight, the library's frames of them, and the allocator's part.
RELAY_LIMIT_BYTES = 80_000_000
# How an acknowledgement begins: MQTT's PUBACK, and AMQP's method basic.ack in its frame.
ACKS = {"mqtt": b"\x40", "amqp": b"\x00\x3c\x00\x50"}

both_protocols = pytest.mark.parametrize("protocol", PROTOCOLS)


@pytest.fixture
def proxied(tmp_path: Path, brokers: Brokers) -> Iterator[Proxied]:
    """A daemon, not started yet, with a proxy before each broker."""
    with proxied_rack(tmp_path, brokers) as running:
        yield running


def is_ack(protocol: str, block: bytes) -> bool:
    """Whether a block of bytes from the broker acknowledges messages."""
    return block.startswith(ACKS["mqtt"]) if protocol == "mqtt" else ACKS["amqp"] in block


@both_protocols
def test_what_lost_its_acknowledgement_comes_again_with_the_same_bytes(
    proxied: Proxied, some_events: Path, schemas: Schemas, protocol: str,
) -> None:
    rack, proxy, due = proxied.rack, proxied.proxies[protocol], forecast(read_events(some_events)).count()
    rack.daemon.start()
    wait_connected(rack.daemon)
    proxy.down.swallowing = True
    rack.import_file(some_events)
    proxied.wait_at(other(protocol), due)
    wait_until(lambda: proxied.consumer(protocol).count() > 100 and proxy.down.swallowed_bytes > 0, "acknowledgements are lost")
    assert [r["confirmed"] for r in states(rack.daemon, protocol)] == [0, 0], "nothing counts as sent before it is acknowledged"
    proxy.heal()
    proxy.cut()
    rack.wait_settled()
    verdicts = by_protocol(assert_nothing_lost(rack, some_events, schemas))
    assert verdicts[protocol].repeats > 100 and verdicts[other(protocol)].repeats == 0


@both_protocols
def test_a_daemon_killed_between_acknowledgement_and_cursor_repeats_and_loses_nothing(
    proxied: Proxied, some_events: Path, schemas: Schemas, protocol: str,
) -> None:
    rack, proxy = proxied.rack, proxied.proxies[protocol]
    proxy.refuse()
    rack.daemon.start()
    rack.import_file(some_events)
    proxied.wait_at(other(protocol), forecast(read_events(some_events)).count())
    for blocks in (1, 2, 5):
        left = iter(range(blocks - 1, -1, -1))
        daemon = rack.daemon.process.pid

        def kill(block: bytes, left: Iterator[int] = left, daemon: int = daemon) -> None:
            if is_ack(protocol, block) and next(left, -1) == 0:
                os.kill(daemon, signal.SIGKILL)

        proxy.down.on_passed = kill
        proxy.accept()
        wait_until(lambda: not rack.daemon.process.running(), "the daemon is killed at an acknowledgement")
        proxy.refuse()
        proxy.down.heal()
        rack.daemon.start()
    proxy.accept()
    rack.wait_settled()
    assert by_protocol(assert_nothing_lost(rack, some_events, schemas))[protocol].repeats > 0


@both_protocols
def test_an_acknowledgement_that_never_comes_ends_the_session_and_everything_arrives_after_the_heal(
    proxied: Proxied, some_events: Path, schemas: Schemas, protocol: str,
) -> None:
    rack, proxy, due = proxied.rack, proxied.proxies[protocol], forecast(read_events(some_events)).count()
    limits = {"mqtt": "acknowledgement_timeout_seconds", "amqp": "confirm_timeout_seconds"}
    said = {"mqtt": "no acknowledgement for", "amqp": "no confirm for"}
    rack.daemon.env |= option(protocol, limits[protocol], 1) | option(protocol, "connect_timeout_seconds", 1)
    rack.daemon.start()
    wait_connected(rack.daemon)
    proxy.down.held = True
    rack.import_file(some_events)
    gave_up: set[str] = set()

    def all_gave_up() -> bool:
        # Told until the next attempt to connect has failed, a second later.
        gave_up.update(r["relay"] for r in states(rack.daemon, protocol) if said[protocol] in (r["lastError"] or ""))
        return len(gave_up) == len(states(rack.daemon, protocol))

    wait_until(all_gave_up, "both relays give up waiting", 15, state=lambda: states(rack.daemon, protocol))
    proxy.half_open()
    wait_state(rack.daemon, protocol, "retrying", "not connected within 1 s")
    proxied.wait_at(other(protocol), due)
    proxy.heal()
    rack.wait_settled()
    verdicts = by_protocol(assert_nothing_lost(rack, some_events, schemas))
    assert verdicts[protocol].repeats > 0 and verdicts[other(protocol)].repeats == 0


@both_protocols
def test_connections_cut_in_the_middle_of_packets_lose_nothing(
    proxied: Proxied, some_events: Path, schemas: Schemas, protocol: str,
) -> None:
    rack, proxy, dice = proxied.rack, proxied.proxies[protocol], random.Random(SEED)
    print(f"cuts with seed {SEED}")
    rack.daemon.start()
    *parts, last = split(some_events, CUTS + 1, rack.folder)
    for part, way in zip(parts, [proxy.up, proxy.down] * (CUTS // 2), strict=True):
        wait_connected(rack.daemon)
        # What comes back of a part are acknowledgements, each for an event or for many: a hundred bytes at least.
        way.cut_after_bytes = dice.randrange(1_000, 40_000) if way is proxy.up else dice.randrange(20, 100)
        rack.import_file(part)
        wait_until(lambda way=way: way.cut_after_bytes is None, "the connection is cut", state=lambda: (proxy.up, proxy.down))
    rack.import_file(last)
    proxy.cut(reset=False)
    rack.wait_settled()
    verdicts = by_protocol(assert_nothing_lost(rack, some_events, schemas))
    assert verdicts[protocol].repeats > 0 and verdicts[other(protocol)].repeats == 0


@both_protocols
def test_a_distant_broker_gets_everything_in_order_and_delays_no_other(
    proxied: Proxied, some_events: Path, schemas: Schemas, protocol: str,
) -> None:
    rack, proxy = proxied.rack, proxied.proxies[protocol]
    proxy.up.latency_seconds = proxy.down.latency_seconds = 0.04
    rack.daemon.start()
    wait_connected(rack.daemon)
    rack.import_file(some_events)
    rack.wait_settled()
    verdicts = by_protocol(assert_nothing_lost(rack, some_events, schemas))
    assert [v.repeats for v in verdicts.values()] == [0, 0]
    distant, near = (arrivals_of_busiest_key(verdicts[p]) for p in (protocol, other(protocol)))
    assert distant[-1] - distant[0] > 0.08 * (len(distant) - 1), "each event of a key waits for the acknowledgement before it"
    assert near[-1] < distant[-1]


def arrivals_of_busiest_key(verdict: Verdict) -> list[float]:
    """When the events of the key with most events arrived, in seconds."""
    busiest = Counter((a.stream, a.key) for a in verdict.first).most_common(1)[0][0]
    return [a.message.at for a in verdict.first if (a.stream, a.key) == busiest]


@both_protocols
def test_a_broker_that_reads_slowly_costs_bounded_memory_and_delays_no_other(proxied: Proxied, protocol: str) -> None:
    rack, proxy = proxied.rack, proxied.proxies[protocol]
    allow_long_currencies(rack.daemon)
    events = big_deposits(rack.folder / "big.jsonl")
    proxy.refuse()
    rack.daemon.start()
    rack.import_file(events)
    proxied.wait_at(other(protocol), BIG_EVENTS)
    # What the store took for writing is given back, so that what is measured is the relay's.
    rack.daemon.stop()
    rack.daemon.start()
    before = resident_bytes(rack.daemon)
    proxy.up.bytes_per_second = 200_000
    proxy.accept()
    wait_until(lambda: proxied.consumer(protocol).count() >= 3, "some arrive, slowly", 15, state=lambda: proxy.up)
    late = deposit("late")
    assert rack.daemon.http("POST", "/streams/account-late", late).status == 201
    proxied.wait_at(other(protocol), BIG_EVENTS + 1, 5)
    taken = resident_bytes(rack.daemon) - before
    assert taken < RELAY_LIMIT_BYTES < BIG_EVENTS * BIG_EVENT_BYTES, f"{taken:,} bytes"
    assert proxy.up.passed_bytes < BIG_EVENTS * BIG_EVENT_BYTES // 10, "by then it had read little"
    proxy.heal()
    rack.wait_received(BIG_EVENTS + 1)
    rack.wait_settled()
    due = forecast([*read_events(events), exact.loads(json.dumps(late))])
    schemas = public_schemas(rack.daemon.folder / "schemas" / "public")
    for consumer in (rack.mqtt, rack.amqp):
        judge(consumer.messages(), due, schemas).assert_good()


def big_deposits(file: Path) -> Path:
    """A file of big events."""
    with file.open("w") as sink:
        for number in range(BIG_EVENTS):
            event = deposit(str(number % 50))
            event["data"]["currency"] = "X" * BIG_EVENT_BYTES
            sink.write(json.dumps(event | {"stream": f"account-{number % 50}"}) + "\n")
    return file


def resident_bytes(daemon: Daemon) -> int:
    """The memory that the daemon has now."""
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:"))) * 1024


def test_a_name_that_vanishes_is_told_and_everything_goes_on_when_it_is_back(
    proxied: Proxied, some_events: Path, schemas: Schemas,
) -> None:
    rack, hosts = proxied.rack, proxied.rack.folder / "hosts"
    name_broker(hosts, "broker.test", 1)
    # What the wrapper does not find, the system is asked for, which knows no name under `.test`.
    rack.daemon.env |= {"LD_PRELOAD": "libnss_wrapper.so", "NSS_WRAPPER_HOSTS": str(hosts), "RES_OPTIONS": "timeout:1 attempts:1"}
    for protocol in PROTOCOLS:
        rack.daemon.env |= option(protocol, "host", "broker.test")
    rack.daemon.start()
    wait_connected(rack.daemon)
    name_broker(hosts, "another.test", 2)
    for proxy in proxied.proxies.values():
        proxy.cut(reset=False)
    rack.import_file(some_events)
    for protocol in PROTOCOLS:
        wait_state(rack.daemon, protocol, "retrying", "//broker.test:")
    assert "broker.test" in rack.daemon.run("status").stdout
    assert (rack.mqtt.count(), rack.amqp.count()) == (0, 0)
    name_broker(hosts, "broker.test", 3)
    rack.wait_settled()
    assert_nothing_lost(rack, some_events, schemas)


def name_broker(hosts: Path, name: str, version: int) -> None:
    """Gives the brokers a name. The wrapper looks at the file again when it is of another second, so each version has its own."""
    hosts.write_text(f"127.0.0.1 {name}\n")
    os.utime(hosts, (version, version))
