"""`horizon import`: plain and compressed files, interruptions, repeats."""

from __future__ import annotations

import gzip
import json
import re
import signal
import subprocess
from pathlib import Path

from facts import deposit
from oracle import read_events
from rig.daemon import Daemon
from rig.waiting import wait_until


def stored(daemon: Daemon) -> int:
    """Events in the log."""
    return daemon.status()["log"]["events"]


def test_a_file_is_imported_and_its_rate_told(daemon: Daemon, some_events: Path) -> None:
    done = daemon.run("import", some_events)
    assert done.returncode == 0, done.stderr
    assert re.search(r"2,000 events", done.stdout) and re.search(r"events/s", done.stdout), done.stdout
    assert stored(daemon) == 2_000
    again = daemon.run("import", some_events)
    assert again.returncode == 0 and stored(daemon) == 2_000
    assert re.search(r"\b0 events appended, 0 of them flagged, 2,000 were stored already", again.stdout), again.stdout


def test_one_event_is_not_several(daemon: Daemon, tmp_path: Path) -> None:
    one = tmp_path / "one.jsonl"
    one.write_text(json.dumps(deposit("1") | {"stream": "account-1"}) + "\n")
    assert re.match(r"1 event appended", daemon.run("import", one).stdout)
    assert "1 private event;" in daemon.run("status").stdout


def test_a_compressed_file_is_imported_in_its_order(daemon: Daemon, some_events: Path, tmp_path: Path) -> None:
    packed = tmp_path / "events.jsonl.gz"
    packed.write_bytes(gzip.compress(some_events.read_bytes()))
    assert daemon.run("import", packed).returncode == 0
    events = list(read_events(some_events))
    busiest = max({e["stream"] for e in events}, key=lambda s: sum(e["stream"] == s for e in events))
    read = daemon.http("GET", f"/streams/{busiest}?limit=1000").json()["events"]
    assert [e["event"]["id"] for e in read] == [e["id"] for e in events if e["stream"] == busiest]


def test_an_interrupted_import_resumes_without_duplicates(daemon: Daemon, real_events: Path) -> None:
    total = sum(1 for _ in read_events(real_events))
    interrupted = 0
    for share in (0.1, 0.4, 0.7):
        running = subprocess.Popen(daemon.command("import", real_events), env=daemon.environment(),
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda share=share: stored(daemon) >= total * share, "some are in", 60, pause=0.01)
        running.send_signal(signal.SIGKILL if share < 0.5 else signal.SIGINT)
        running.wait(20)
        interrupted += stored(daemon) < total
    assert interrupted, "at least one import was cut short"
    assert daemon.run("import", real_events).returncode == 0
    assert stored(daemon) == total


def test_an_import_goes_on_when_the_daemon_is_killed_and_comes_back(daemon: Daemon, real_events: Path) -> None:
    total = sum(1 for _ in read_events(real_events))
    running = subprocess.Popen(daemon.command("import", real_events), env=daemon.environment(),
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wait_until(lambda: stored(daemon) > total // 20, "some are in", 60, pause=0.01)
    daemon.kill()
    assert running.poll() is None
    daemon.start()
    output, _ = running.communicate(timeout=120)
    assert running.returncode == 0, output
    assert stored(daemon) == total


def test_an_import_without_a_daemon_says_so(lone_daemon: Daemon, some_events: Path) -> None:
    done = lone_daemon.run("import", some_events, "--wait", "1")
    assert done.returncode == 1 and done.stderr.startswith("error:")
