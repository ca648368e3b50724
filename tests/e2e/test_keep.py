"""Keeping and mending: backup while the daemon runs, restore into another folder, new epochs, verification."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from facts import Event, deposit
from rig.daemon import Daemon
from rig.waiting import wait_until

EPOCH = 1 << 40
RESTORED = 16 * EPOCH
CONTRACT = "bank.accounts.v1"
MEND = 2


def horizon(daemon: Daemon, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """A command that works without a daemon, and without its configuration."""
    return subprocess.run([daemon.binary, *map(str, arguments)], text=True, capture_output=True, timeout=120, check=False,
                          stdin=subprocess.DEVNULL)


def append(daemon: Daemon, event: Event, **headers: str) -> Any:
    """Appends to the stream of account 5."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return daemon.http("POST", "/streams/account-5", event, named)


def public(daemon: Daemon, event: Event) -> dict[str, Any]:
    """What crossed of an event in the contract."""
    def told() -> dict[str, Any]:
        why = daemon.operator("GET", f"/why/{event['id']}").json()[0]
        return next(c for c in why["contracts"] if c["contract"] == CONTRACT)
    wait_until(lambda: told()["outcome"] == "crossed", "the event has crossed", 20, state=told)
    return told()["public"]


def test_what_was_backed_up_is_restored_in_a_new_epoch_and_goes_on(daemon: Daemon) -> None:
    kept, lost, late = deposit("5"), deposit("5"), deposit("5")
    first = append(daemon, kept)
    before = public(daemon, kept)
    backups, restored = daemon.folder / "backups", daemon.folder / "restored"

    made = daemon.run("backup", backups, "--format", "json")
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["logs"][0]["head"] >= first.json()["position"]
    append(daemon, lost)
    lost_public = public(daemon, lost)
    live = daemon.run("verify", "--format", "json")
    assert live.returncode == 0, live.stderr
    assert json.loads(live.stdout)["events"] == 2
    in_use = horizon(daemon, "verify", daemon.folder / "data")
    assert in_use.returncode == 1 and "in use" in in_use.stderr
    assert daemon.stop() == 0

    stopped = horizon(daemon, "verify", daemon.folder / "data")
    assert stopped.returncode == 0 and "everything is as it must be" in stopped.stdout, stopped
    rehearsed = horizon(daemon, "verify", "--backup", backups)
    assert rehearsed.returncode == 0, rehearsed
    full = horizon(daemon, "restore", backups, daemon.folder / "data")
    assert full.returncode == MEND and "not empty" in full.stderr
    done = horizon(daemon, "restore", backups, restored)
    assert done.returncode == 0, done.stderr
    assert str(RESTORED + 1) in done.stdout

    daemon.env["HORIZON_DATA"] = str(restored)
    daemon.start()
    assert public(daemon, kept) == before, "the same event has the same public id and sequence"
    # A retry is answered as the first time, whatever its tag; a decision on what was lost is refused.
    again = append(daemon, kept, If_Match='"0-7"')
    assert again.status == 200 and again.json() == first.json() | {"repeat": True}
    stale = append(daemon, late, If_Match=first.headers["etag"])
    assert stale.status == 412 and stale.json()["type"].endswith("wrong-epoch")
    fresh = append(daemon, lost, If_Match=again.headers["etag"])
    assert fresh.status == 201, fresh.body
    assert fresh.json()["position"] == RESTORED + 2 and fresh.json()["revision"] == 2
    crossed = public(daemon, lost)
    assert crossed["id"] == lost_public["id"], "the consumer tells the repeat"
    assert crossed["sequence"] == RESTORED + 1 and lost_public["sequence"] == 2
    assert daemon.relay(f"{CONTRACT}/mqtt:main")["lag"] == 2


def test_a_new_epoch_is_opened_by_hand_and_its_reason_is_kept(daemon: Daemon) -> None:
    append(daemon, deposit("5"))
    running = horizon(daemon, "new-epoch", daemon.folder / "data", "--reason", "rolled back")
    assert running.returncode == 1 and "in use" in running.stderr
    assert daemon.stop() == 0
    opened = horizon(daemon, "new-epoch", daemon.folder / "data", "--reason", "rolled back")
    assert opened.returncode == 0 and f"{EPOCH + 1}" in opened.stdout, opened
    folder = daemon.folder / "data"
    used = horizon(daemon, "new-epoch", folder, "--reason", "rolled back again", "--epoch", "1")
    assert used.returncode == MEND and "above 1" in used.stderr, used
    opened = horizon(daemon, "new-epoch", folder, "--reason", "rolled back again", "--epoch", "3")
    assert opened.returncode == 0 and f"{3 * EPOCH + 1}" in opened.stdout, opened
    daemon.start()
    assert append(daemon, deposit("5")).json()["position"] == 3 * EPOCH + 2


def test_damage_is_found_with_its_place_and_told_by_the_exit_status(daemon: Daemon) -> None:
    append(daemon, deposit("5"))
    backups = daemon.folder / "backups"
    assert daemon.run("backup", backups).returncode == 0
    assert daemon.stop() == 0
    table = max((daemon.folder / "data" / "rocksdb").glob("*.sst"))
    flipped = bytearray(table.read_bytes())
    flipped[20] ^= 4
    table.write_bytes(flipped)
    found = horizon(daemon, "verify", daemon.folder / "data", "--format", "json")
    assert found.returncode == 1, found
    record = next((backups / "rocksdb" / "shared_checksum").iterdir())
    record.write_bytes(record.read_bytes()[:-1])
    listed = horizon(daemon, "backups", backups)
    assert listed.returncode == 1 and "meta/1" in listed.stdout, listed
    refused = horizon(daemon, "restore", backups, daemon.folder / "restored")
    assert refused.returncode == 1 and "damaged" in refused.stderr
    daemon.env["HORIZON_DATA"] = str(daemon.folder / "restored")
    serve = daemon.run("serve")
    assert serve.returncode == 1 and "was not finished" in serve.stderr, serve
