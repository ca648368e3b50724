"""Measures the HTTP interface and prints Markdown (see `tests/long/http`).

    over_http.py SECONDS

- single durable appends at 64 connections, in turns with the same requests to the same server whose handler parses the body and
  stores nothing; without contracts, and with the bank's, whose crossing then works beside;
- the same in turns with `bare-http`, which has the same libraries and nothing of Horizon's server;
- batches of 100, in turns with `bare-store`: the store alone, with commits of the same events;
- reading a stream of 100 events;
- 100 followers of the log, while batches are appended.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from measure import say
from places import REPOSITORY, TARGET
from rack import bank_daemon
from rig.daemon import Daemon, request
from rig.ports import free_ports
from rig.processes import Process
from rig.waiting import wait_until

ROUNDS = 5
CONNECTIONS = 64
BATCH = 100
FOLLOWERS = 100
FOLLOWED_EVENTS = 5_000
APPEND = Path(__file__).with_name("append.lua")


def main(seconds: int) -> None:
    """Measures and prints each part when it is done."""
    with tempfile.TemporaryDirectory(prefix="horizon-http-") as name:
        folder = Path(name)
        print(f"| work | a second | beside it, a second | ratio (median of {ROUNDS} rounds of {seconds} s) | lowest and highest |")
        print("|---|---:|---:|---:|---|")
        same = yardstick()
        singles(folder, seconds, same, "the same server, whose handler parses", contracts=False)
        singles(folder, seconds, same, "the same server, whose handler parses", contracts=True)
        singles(folder, seconds, [TARGET / "release" / "bare-http"], "its libraries alone, and a handler that parses", contracts=False)
        batches(folder, seconds)
        with daemon_in(folder / "reads", contracts=False) as daemon:
            reading(daemon, seconds)
            fan_out(daemon)
        print(f"\nOne synced write of 600 bytes took {synced_write_ms(folder):.2f} ms (median) in the same run.")


@contextmanager
def daemon_in(folder: Path, contracts: bool) -> Iterator[Daemon]:
    """A daemon on the bank's schemas, whose brokers do not answer."""
    folder.mkdir()
    daemon = bank_daemon(folder, *free_ports(2))
    if not contracts:
        for path in (daemon.folder / "contracts").iterdir():
            path.unlink()
    try:
        daemon.start()
        yield daemon
    finally:
        daemon.kill()


def singles(folder: Path, seconds: int, command: list[str | Path], name: str, contracts: bool) -> None:
    """Single appends beside a server that only parses."""
    what = "single appends, 64 connections" + (", the bank's contracts crossing beside" if contracts else "")
    with tempfile.TemporaryDirectory(dir=folder) as own, daemon_in(Path(own) / "daemon", contracts) as daemon, parser(command, Path(own)) as bare:
        row(f"{what}; beside {name}", lambda n: append_to(daemon, seconds, 1, n), lambda n: append(bare, seconds, 1, n))


def batches(folder: Path, seconds: int) -> None:
    """Batches beside the store alone."""
    def bare(number: int) -> float:
        with tempfile.TemporaryDirectory(dir=folder) as store:
            command = [TARGET / "release" / "bare-store", "--folder", store, "--events", str(BATCH), "--tasks", str(CONNECTIONS),
                       "--seconds", str(seconds)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=300)
        return json.loads(done.stdout)["per_second"]

    with daemon_in(folder / "batches", contracts=False) as daemon:
        row(f"events in batches of {BATCH}, 64 connections; beside the store alone",
            lambda n: append_to(daemon, seconds, BATCH, n), bare)


def row(what: str, ours: Callable[[int], float], beside: Callable[[int], float]) -> None:
    """Both in turns."""
    rounds = []
    for number in range(ROUNDS):
        say(f"{what}: round {number + 1} of {ROUNDS}")
        rounds.append((ours(number), beside(number)))
    ratios = [mine / theirs for mine, theirs in rounds]
    mine, theirs = (statistics.median(r[n] for r in rounds) for n in (0, 1))
    print(f"| {what} | {mine:,.0f} | {theirs:,.0f} | {statistics.median(ratios):.2f} | {min(ratios):.2f} to {max(ratios):.2f} |", flush=True)


def yardstick() -> list[str | Path]:
    """The command that serves a handler which parses, by the daemon's own server (`bridge/src/server/tests/yardstick.rs`)."""
    build = ["cargo", "test", "--release", "--locked", "-p", "horizon-bridge", "--bin", "horizon", "--no-run", "--message-format", "json"]
    told = subprocess.run(build, stdout=subprocess.PIPE, text=True, check=True, cwd=REPOSITORY).stdout
    (program,) = [made["executable"] for made in map(json.loads, told.splitlines()) if made.get("executable")]
    return [program, "--ignored", "--exact", "server::tests::yardstick::parses_and_stores_nothing", "--nocapture"]


@contextmanager
def parser(command: list[str | Path], folder: Path) -> Iterator[str]:
    """The address of a server that parses and stores nothing."""
    log = folder / "parser.log"
    server = Process(command, log)
    listens = re.compile(r"(127\.0\.0\.1:\d+)\n")
    try:
        wait_until(lambda: log.exists() and listens.search(log.read_text()), "the parser listens", 30)
        yield listens.search(log.read_text())[1]
    finally:
        server.kill()


def append_to(daemon: Daemon, seconds: int, events: int, number: int) -> float:
    """Appended events a second, of which as many are stored."""
    before = stored(daemon)
    rate = append(daemon.addresses()["http"], seconds, events, number)
    assert stored(daemon) - before >= rate * seconds * 0.9, "not everything that was answered is stored"
    return rate


def append(address: str, seconds: int, events: int, number: int) -> float:
    """Appended events a second."""
    told = wrk("-s", APPEND, f"http://{address}", "--", events, f"{number}-{time.time_ns()}", seconds=seconds)
    return float(re.search(r"Requests/sec:\s*([\d.]+)", told)[1]) * events


def synced_write_ms(folder: Path) -> float:
    """The median of a thousand appends to a file, each synced."""
    times = []
    with (folder / "synced").open("wb", buffering=0) as sink:
        for _ in range(1_000):
            begun = time.perf_counter()
            sink.write(b"x" * 600)
            os.fdatasync(sink.fileno())
            times.append(time.perf_counter() - begun)
    return statistics.median(times) * 1_000


def wrk(*arguments: object, seconds: int, connections: int = CONNECTIONS) -> str:
    """What wrk tells; every answer must be a success."""
    command = ["wrk", "-t2", f"-c{connections}", f"-d{seconds}s", "--latency", *(str(argument) for argument in arguments)]
    told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=seconds + 60).stdout
    assert "Non-2xx" not in told and "Socket errors" not in told, told
    return told


def stored(daemon: Daemon) -> int:
    """Events in the store."""
    return daemon.status()["log"]["events"]


def reading(daemon: Daemon, seconds: int) -> None:
    """One stream of a hundred events, again and again."""
    address = daemon.addresses()["http"]
    events = [{"id": f"read-{n}", "type": "CashDeposited", "time": "2024-01-01T00:00:00Z",
               "data": {"transactionId": str(n), "accountId": "1", "amount": n, "currency": "CZK", "balance": n}} for n in range(1, 101)]
    done = request(address, "POST", "/streams/account-1", events)
    assert done.status == 201, done.body
    print("\n| reading a stream of 100 events | a second | median | 99th percentile |\n|---|---:|---:|---:|")
    for connections in (1, 16, 64):
        threads = ["-t1"] if connections == 1 else []
        told = wrk(*threads, f"http://{address}/streams/account-1", seconds=seconds, connections=connections)
        rate, median, slow = (re.search(pattern, told, re.MULTILINE)[1] for pattern in (r"Requests/sec:\s*([\d.]+)", r"^\s+50%\s+(\S+)", r"^\s+99%\s+(\S+)"))
        print(f"| {connections} connections | {float(rate):,.0f} | {median} | {slow} |", flush=True)


def fan_out(daemon: Daemon) -> None:
    """Many followers, who receive what is appended meanwhile."""
    address = daemon.addresses()["http"]
    say(f"{FOLLOWERS} followers")
    command = [TARGET / "release" / "followers", "--http", address, "--path", "/log?after=head", "--followers", str(FOLLOWERS),
               "--events", str(FOLLOWED_EVENTS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as followers:
        assert followers.stdout.readline() == "connected\n"
        for number in range(FOLLOWED_EVENTS // BATCH):
            events = [{"id": f"fan-{number}-{n}", "type": "CashDeposited", "time": "2024-01-01T00:00:00Z",
                       "data": {"transactionId": str(n), "accountId": "2", "amount": n, "currency": "CZK", "balance": n}} for n in range(1, BATCH + 1)]
            assert request(address, "POST", "/streams/account-2", events).status == 201
        told = json.loads(followers.stdout.readline())
    print(f"\n{FOLLOWERS} followers of the log, {FOLLOWED_EVENTS:,} events appended in batches of {BATCH}: {told['per_second']:,.0f} events a second "
          f"to all of them together, {told['seconds']:.1f} s.", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
