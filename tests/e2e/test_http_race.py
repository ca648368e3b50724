"""Of writers who read, decide and append with `If-Match`, each decides on the true last revision; and asking again stores nothing twice."""

from __future__ import annotations

import os
import random
from typing import Any

import pytest
from racing import PURSES, WRITERS, check_purses, race
from rig.daemon import Daemon


def purse(daemon: Daemon, name: str) -> list[dict[str, Any]]:
    """All events of a purse."""
    entries: list[dict[str, Any]] = []
    link: str | None = f"/streams/{name}?limit=1000"
    while link:
        page = daemon.http("GET", link).json()
        entries += page["events"]
        link = page.get("next")
    return entries


@pytest.mark.timeout(900)
def test_no_writer_overdraws_and_nothing_is_stored_twice(lone_daemon: Daemon) -> None:
    seed = int(os.environ.get("RACE_SEED", random.randrange(1 << 32)))
    seconds = float(os.environ.get("RACE_SECONDS", "15"))
    print(f"RACE_SEED={seed} RACE_SECONDS={seconds:g}")
    lone_daemon.env["HORIZON_EVENTS_WITHOUT_SCHEMA"] = "accept"
    lone_daemon.start()
    writers = race(int(lone_daemon.addresses()["http"].rpartition(":")[2]), seed, seconds)
    events = {f"purse-{n}": purse(lone_daemon, f"purse-{n}") for n in range(PURSES)}
    check_purses(events, writers)
    accepted = sum(len(writer.accepted) for writer in writers)
    refused = sum(len(writer.refused) for writer in writers)
    again, repeats = (sum(getattr(writer, name) for writer in writers) for name in ("asked_again", "repeats"))
    print(f"{WRITERS} writers: {accepted} accepted, {refused} refused, {again} asked again, {repeats} repeats")
    assert lone_daemon.status()["log"]["events"] == accepted
    assert min(accepted, refused, again, repeats) > 0, "it was no race"
