"""Measures the outlets and prints Markdown (see `tests/long/outlets`).

    outlets.py EVENTS [PART...]

- `rates`: a backlog that waits is worked off into a broker with a subscriber, and the same packets are published by a bare loop of
  the same client library, in turns, as `measure.py` does it; at QoS 1 and 0 and over AMQP, with keys that are uniform and as the
  bank's are.
- `hot`: the same where all events have one key, against a bare loop with one message in flight.
- `latency`: from a durable append to a subscriber, at 1,000 events a second, beside one synced write and one bare
  publish to a subscriber.
- `fifty`: fifty relays on one daemon, idle and busy.
- `million`: a backlog of a million events, and the daemon's memory while it is worked off.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import latency
from measure import all_crossed, amqp_packet, bare_loop, fill, listener, mqtt_packet, say, watch
from places import bank_events, generated_events
from rack import Brokers, bank_daemon, brokers_in, rack_on
from rig.daemon import Daemon
from rig.ports import free_ports
from rig.waiting import wait_until

ROUNDS = 5
FIFTY = 50
IDLE_SECONDS = 30


def main(count: int, parts: list[str]) -> None:
    """Measures the parts and prints each when it is done."""
    with ExitStack() as at_end:
        folder = Path(at_end.enter_context(tempfile.TemporaryDirectory(prefix="horizon-outlets-")))
        brokers = at_end.enter_context(brokers_in(folder))
        uniform = generated_events(folder, count)
        if "rates" in parts:
            rates("uniform", folder, brokers, uniform)
            rates("as the bank's", folder, brokers, bank_events(folder))
        if "hot" in parts:
            rates("one", folder, brokers, one_account(folder, count // 10), window=1)
        if "latency" in parts:
            latency.measure(folder, brokers)
        if "fifty" in parts:
            fifty(folder, brokers, count)
        if "million" in parts:
            million(folder, brokers)


def rates(keys: str, folder: Path, brokers: Brokers, events: Path, window: int = 1_000) -> None:
    """The ratios for one file of events."""
    place = folder / keys.replace(" ", "-").replace("'", "")
    place.mkdir()
    packets = collect(place, brokers, events)
    _, data = fill(place, events)
    print(f"\nKeys: {keys}; {sum(1 for _ in packets['mqtt'].open())} public events.\n")
    print(f"| outlet | confirmed a second | bare loop | ratio (median of {ROUNDS} rounds) | lowest and highest |")
    print("|---|---:|---:|---:|---|")
    for name, outlet, qos in (("MQTT, QoS 1", "mqtt", 1), ("MQTT, QoS 0", "mqtt", 0), ("AMQP, confirms", "amqp", None)):
        rounds = []
        for number in range(ROUNDS):
            say(f"{keys}, {name}: round {number + 1} of {ROUNDS}")
            with listener(outlet, place, brokers):
                drained = drain(outlet, place / f"drain-{outlet}-{qos}-{number}", brokers, data, qos)
            more = ["--window", str(window)] + (["--qos", str(qos)] if qos is not None else [])
            with listener(outlet, place, brokers):
                rounds.append((drained, bare_loop(outlet, brokers, packets[outlet], more)))
        ratios = [ours / bare for ours, bare in rounds]
        ours, bare = (statistics.median(r[n] for r in rounds) for n in (0, 1))
        print(f"| {name} | {ours:,.0f} | {bare:,.0f} | {statistics.median(ratios):.2f} | {min(ratios):.2f} to {max(ratios):.2f} |",
              flush=True)


def collect(place: Path, brokers: Brokers, events: Path) -> dict[str, Path]:
    """What the consumers receive, as the packets of the bare loops."""
    say("what consumers receive")
    work = place / "collected"
    work.mkdir()
    with rack_on(work, brokers) as rack:
        rack.import_file(events, seconds=600)
        rack.wait_settled(600)
        rack.wait_received(sum(c["crossed"] for c in rack.daemon.status()["contracts"]), 300)
        rack.daemon.stop()
        packets = {"mqtt": work / "mqtt.packets", "amqp": work / "amqp.packets"}
        packets["mqtt"].write_text("".join(mqtt_packet(m) for m in rack.mqtt.messages()))
        packets["amqp"].write_text("".join(amqp_packet(m) for m in rack.amqp.messages()))
    return packets


def drain(outlet: str, work: Path, brokers: Brokers, data: Path, qos: int | None) -> float:
    """Settled events a second while one outlet works off the backlog; the other's broker does not answer."""
    work.mkdir()
    (silent,) = free_ports(1)
    ports = (brokers.mosquitto.port, silent) if outlet == "mqtt" else (silent, brokers.rabbitmq.port)
    daemon = bank_daemon(work, *ports)
    if qos is not None:
        change_contracts(daemon, lambda text: text.replace("qos: 1", f"qos: {qos}"))
    shutil.copytree(data, daemon.folder / "data")
    try:
        daemon.start()
        first, last = watch(daemon, outlet)
    finally:
        daemon.kill()
        shutil.rmtree(work)
    return (last[1] - first[1]) / (last[0] - first[0])


def change_contracts(daemon: Daemon, change: Callable[[str], str]) -> None:
    """Writes every contract anew."""
    for path in (daemon.folder / "contracts").glob("*.v1.yaml"):
        path.write_text(change(path.read_text()))


def one_account(folder: Path, count: int) -> Path:
    """Movements on one account alone."""
    path = folder / "one-account.jsonl"
    with path.open("w") as sink:
        opened = {"accountId": "1", "districtId": "1", "statements": "monthly", "openedOn": "2024-01-01"}
        lines = [("AccountOpened", opened)] + [
            ("CashDeposited", {"transactionId": str(n), "accountId": "1", "amount": n, "currency": "CZK", "balance": n}) for n in range(1, count)]
        for number, (event_type, data) in enumerate(lines):
            sink.write(json.dumps({"id": f"hot-{number}", "stream": "account-1", "type": event_type,
                                   "time": "2024-01-01T00:00:00Z", "data": data}) + "\n")
    return path


def fifty(folder: Path, brokers: Brokers, count: int) -> None:
    """Fifty relays of one contract, idle and busy, beside none and one."""
    print(f"\n| relays | CPU, share of a core, idle for {IDLE_SECONDS} s | resident memory, MB | MB for each relay |\n|---|---:|---:|---:|")
    none = 0.0
    for outlet, relays in (("mqtt", 0), ("mqtt", FIFTY), ("amqp", FIFTY)):
        say(f"{relays} idle relays over {outlet}")
        daemon = with_relays(folder / f"idle-{outlet}-{relays}", brokers, outlet, relays)
        try:
            daemon.start()
            wait_until(lambda daemon=daemon: all(r["state"] == "connected" for r in daemon.status()["relays"]),
                       "all relays are connected", 60)
            begun = cpu_seconds(daemon)
            time.sleep(IDLE_SECONDS)
            share, resident = (cpu_seconds(daemon) - begun) / IDLE_SECONDS, resident_mb(daemon)
        finally:
            daemon.kill()
        none = none or resident
        each = f"{(resident - none) / relays:.2f}" if relays else ""
        print(f"| {relays} over {outlet.upper()} | {share:.2%} | {resident:.1f} | {each} |", flush=True)
    print("\n| outlet | one relay, settled a second | fifty relays together | ratio |\n|---|---:|---:|---:|")
    for outlet in ("mqtt", "amqp"):
        pairs = [(busy(folder, brokers, outlet, 1, count), busy(folder, brokers, outlet, FIFTY, count)) for _ in range(3)]
        one, all_of_them = (statistics.median(pair[n] for pair in pairs) for n in (0, 1))
        ratio = statistics.median(pair[1] / pair[0] for pair in pairs)
        print(f"| {outlet.upper()} | {one:,.0f} | {all_of_them:,.0f} | {ratio:.2f} |", flush=True)


def busy(folder: Path, brokers: Brokers, outlet: str, relays: int, count: int) -> float:
    """Settled events a second of so many relays that work off a backlog, which all together has about as many events."""
    say(f"{relays} relays at work over {outlet}")
    with tempfile.TemporaryDirectory(dir=folder) as name:
        work = Path(name)
        events = generated_events(folder, max(count // relays, 2_000))
        silent = with_relays(work / "silent", brokers, outlet, relays, connected=False)
        try:
            silent.start()
            done = silent.run("import", events, seconds=600)
            assert done.returncode == 0, done.stderr
            wait_until(lambda: all_crossed(silent), "everything has crossed", 300)
            silent.stop()
        finally:
            silent.kill()
        daemon = with_relays(work / "connected", brokers, outlet, relays)
        shutil.move(silent.folder / "data", daemon.folder / "data")
        try:
            with listener(outlet, work, brokers, topics="n/#"):
                daemon.start()
                first, last = watch(daemon, outlet)
        finally:
            daemon.kill()
    return (last[1] - first[1]) / (last[0] - first[0])


def with_relays(work: Path, brokers: Brokers, outlet: str, relays: int, connected: bool = True) -> Daemon:
    """A daemon whose accounts contract has so many outlets of one protocol and no other, at a broker that answers or does not."""
    work.mkdir()
    (silent,) = free_ports(1)
    ports = (brokers.mosquitto.port, brokers.rabbitmq.port) if connected else (silent, silent)
    daemon = bank_daemon(work, *ports)
    for path in (daemon.folder / "contracts").glob("bank.lending*"):
        path.unlink()
    places = {"mqtt": '{{ broker: main, name: "mqtt:n{n}", topic: "n/{n}/{{key}}/{{name}}" }}',
              "amqp": '{{ broker: rabbit, name: "amqp:n{n}", exchange: bank.accounts.v1, routing_key: "n{n}.{{name}}" }}'}
    lines = [f"  - {outlet}: {places[outlet].replace('{{', '{').replace('}}', '}').replace('{n}', str(n))}\n" for n in range(relays)]
    outlets = "outlets:\n" + "".join(lines) if lines else "outlets: []\n"
    change_contracts(daemon, lambda text: text[:text.index("outlets:")] + outlets)
    return daemon


def million(folder: Path, brokers: Brokers) -> None:
    """The memory of a daemon that works off a backlog of a million events."""
    events = generated_events(folder, 1_250_000)
    (folder / "million").mkdir()
    _, data = fill(folder / "million", events)
    events.unlink()
    (silent,) = free_ports(1)
    (folder / "drained").mkdir()
    daemon = bank_daemon(folder / "drained", brokers.mosquitto.port, silent)
    shutil.move(data, daemon.folder / "data")
    samples: list[float] = []
    over = threading.Event()

    def sample() -> None:
        while not over.wait(0.5):
            samples.append(resident_mb(daemon))

    daemon.start()
    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        with listener("mqtt", folder / "drained", brokers):
            first, last = watch(daemon, "mqtt")
    finally:
        over.set()
        sampler.join()
        daemon.kill()
    tenths = [max(part) for part in (samples[n * len(samples) // 10:(n + 1) * len(samples) // 10] for n in range(10)) if part]
    print(f"\n{last[1]:,} events worked off at {(last[1] - first[1]) / (last[0] - first[0]):,.0f} a second over MQTT; "
          f"resident memory in each tenth of that time, MB: {', '.join(f'{mb:.0f}' for mb in tenths)}.")


def cpu_seconds(daemon: Daemon) -> float:
    """Processor time that the daemon has used."""
    fields = Path(f"/proc/{daemon.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(daemon: Daemon) -> float:
    """Resident memory."""
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:] or ["rates", "hot", "latency", "fifty", "million"])
