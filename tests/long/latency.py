"""From a durable append to a subscriber over MQTT, beside what the two steps cost alone; see `outlets.py`."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from measure import say
from places import TARGET
from rack import Brokers, bank_daemon
from rig.ports import free_ports

EVENTS_A_SECOND = 1_000
WHAT = {
    "write": "one synced write of 600 bytes",
    "publish": "one bare publish at QoS 1 to a subscriber",
    "append": "an append over HTTP to its answer",
    "delivery": "from that answer to a subscriber",
    "way": "from the beginning of the append to a subscriber",
}


def measure(folder: Path, brokers: Brokers) -> None:
    """Prints the way of an event, and the steps alone."""
    say("latency: the steps alone and the whole way, in turns")
    times = {line["what"]: line for line in measured(folder, brokers)}
    both = times["write"]["median_ms"] + times["publish"]["median_ms"]
    print(f"\n| at {EVENTS_A_SECOND} events a second, ten turns of 3 s each | median, ms | 99th percentile, ms | median and 99th percentile "
          "to the sum of the first two medians |\n|---|---:|---:|---|")
    for name, what in WHAT.items():
        median, slow = times[name]["median_ms"], times[name]["p99_ms"]
        print(f"| {what} | {median:.2f} | {slow:.2f} | {median / both:.1f}, {slow / both:.1f} |", flush=True)


def measured(folder: Path, brokers: Brokers) -> list[dict]:
    """What the program tells against a daemon that has outlets at Mosquitto alone."""
    work = folder / "latency"
    work.mkdir()
    (silent,) = free_ports(1)
    daemon = bank_daemon(work, brokers.mosquitto.port, silent)
    for contract in (daemon.folder / "contracts").glob("*.v1.yaml"):
        lines = contract.read_text().splitlines(keepends=True)
        contract.write_text("".join(line for line in lines if not line.startswith("  - amqp:")))
    try:
        daemon.start()
        program = [TARGET / "release" / "latency", "--mqtt-port", str(brokers.mosquitto.port), "--http", daemon.addresses()["http"],
                   "--folder", work, "--rate", str(EVENTS_A_SECOND)]
        done = subprocess.run(program, stdout=subprocess.PIPE, text=True, timeout=300, check=True)
    finally:
        daemon.kill()
    return [json.loads(line) for line in done.stdout.splitlines()]
