"""Export and its restore: everything in a store as JSON lines, through the running daemon and from a stopped store."""

from __future__ import annotations

import json
import stat
import subprocess
from pathlib import Path
from typing import Any

from facts import deposit
from rig.daemon import Daemon, request
from rig.waiting import wait_until

EPOCH = 16 << 40  # the next multiple of 16, as after a restore
CONTRACT = "bank.accounts.v1"
MEND = 2


def horizon(daemon: Daemon, *arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """A command that works without a daemon, and without its configuration."""
    if "input" not in options:
        options["stdin"] = subprocess.DEVNULL
    return subprocess.run([daemon.binary, *map(str, arguments)], text=True, capture_output=True, timeout=120, check=False, **options)


def lines(text: str) -> list[dict[str, Any]]:
    """The lines of an export without what tells of epochs."""
    told = [json.loads(line) for line in text.splitlines()]
    for line in told:
        del line["check"]
        if line["kind"] == "export":
            del line["epoch"]
        if line["kind"] == "log":
            del line["head"]
    return [line for line in told if line["kind"] != "end" and line.get("record") != "epoch"]


def crossed(daemon: Daemon, event: dict[str, Any]) -> Any:
    """What became public of an event."""
    def told() -> dict[str, Any]:
        why = daemon.operator("GET", f"/why/{event['id']}").json()[0]
        return next(c for c in why["contracts"] if c["contract"] == CONTRACT)
    wait_until(lambda: told()["outcome"] == "crossed", "the event has crossed", 20, state=told)
    return told()["public"]


def test_a_store_is_taken_elsewhere_and_goes_on(daemon: Daemon, some_events: Path) -> None:
    assert daemon.run("import", some_events).returncode == 0
    event = deposit("5")
    first = daemon.http("POST", "/streams/account-5", event)
    before = crossed(daemon, event)
    events = daemon.status()["log"]["events"]
    live, stopped, elsewhere = daemon.folder / "live.jsonl", daemon.folder / "stopped.jsonl", daemon.folder / "elsewhere"

    made = daemon.run("export", live)
    assert made.returncode == 0 and f"{events:,} private events" in made.stdout, made
    assert stat.S_IMODE(live.stat().st_mode) == 0o600
    assert json.loads(live.read_text().splitlines()[-1])["counts"]["events"] == events
    again = daemon.run("export", live)
    assert again.returncode == 1 and "there already" in again.stderr, again
    nowhere = daemon.run("export", daemon.folder / "none" / "x.jsonl")
    assert nowhere.returncode == 1 and "mend" in nowhere.stderr, nowhere
    assert daemon.run("export", "-").returncode == MEND
    in_use = horizon(daemon, "export", "--store", daemon.folder / "data", stopped)
    assert in_use.returncode == 1 and "in use" in in_use.stderr and "--store" in in_use.stderr, in_use
    assert daemon.stop() == 0

    told = horizon(daemon, "export", "--store", daemon.folder / "data", stopped)
    assert told.returncode == 0 and stat.S_IMODE(stopped.stat().st_mode) == 0o600, told
    printed = horizon(daemon, "export", "--store", daemon.folder / "data", "-")
    assert printed.stdout == stopped.read_text()
    none = horizon(daemon, "export", "--store", daemon.folder / "none", daemon.folder / "x.jsonl")
    assert none.returncode == 1 and "no store" in none.stderr and not (daemon.folder / "none").exists(), none

    text = stopped.read_text()
    cut = horizon(daemon, "restore", "--export", "-", elsewhere, input=text[:len(text) // 2])
    assert cut.returncode == MEND and f"line {text[:len(text) // 2].count(chr(10)) + 1}: " in cut.stderr, cut
    full = horizon(daemon, "restore", "--export", stopped, daemon.folder / "data")
    assert full.returncode == MEND and "not empty" in full.stderr, full
    done = horizon(daemon, "restore", "--export", stopped, elsewhere)
    assert done.returncode == 0 and f"{events:,} private events" in done.stdout and str(EPOCH + 1) in done.stdout, done
    sound = horizon(daemon, "verify", elsewhere)
    assert sound.returncode == 0, sound
    arrived = horizon(daemon, "export", "--store", elsewhere, "-")
    assert lines(arrived.stdout) == lines(text)

    daemon.env["HORIZON_DATA"] = str(elsewhere)
    daemon.start()
    assert daemon.status()["log"]["events"] == events
    assert crossed(daemon, event) == before, "the same event has the same public id and sequence"
    repeat = daemon.http("POST", "/streams/account-5", event)
    assert repeat.status == 200 and repeat.json() == first.json() | {"repeat": True}
    fresh = daemon.http("POST", "/streams/account-5", deposit("5"))
    assert fresh.status == 201 and fresh.json()["position"] > EPOCH + 1


def test_the_operators_listener_refuses_what_is_no_order(daemon: Daemon) -> None:
    for body, status in (({"file": "relative.jsonl"}, 400), ({"folder": "/x"}, 400), ({}, 400)):
        answer = request(daemon.addresses()["operator"], "POST", "/exports", body)
        assert answer.status == status, answer.body


def test_an_export_into_a_folder_that_is_not_there_is_refused(daemon: Daemon) -> None:
    (daemon.folder / "a-file").touch()
    for folder in ("none", "a-file"):
        answer = request(daemon.addresses()["operator"], "POST", "/exports", {"file": str(daemon.folder / folder / "x.jsonl")})
        assert answer.status == 409 and answer.json()["type"].endswith("export-refused"), answer.body
        assert str(daemon.folder / folder) in answer.json()["detail"] and answer.json()["mend"]
    assert not (daemon.folder / "none").exists()
