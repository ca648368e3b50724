"""What `horizon why` tells of one private event."""

from __future__ import annotations

import datetime
import json
from dataclasses import dataclass
from typing import Any

from rig.daemon import Daemon


@dataclass(frozen=True)
class AtOutlet:
    """What became of an event at one outlet."""

    state: str
    at_seconds: float
    reason: str
    since: str


def why(daemon: Daemon, event_id: str) -> dict[str, Any]:
    """The answer for the one event with this id."""
    done = daemon.run("why", event_id, "--format", "json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert len(told) == 1, told
    return told[0]


def why_in_words(daemon: Daemon, event_id: str) -> str:
    """The same for people."""
    done = daemon.run("why", event_id)
    assert done.returncode == 0, done.stderr
    return done.stdout


def at_contract(told: dict[str, Any], stream: str) -> dict[str, Any]:
    """The part that one contract has in an answer."""
    return next(c for c in told["contracts"] if c["contract"] == stream)


def outlet_of(told: dict[str, Any], stream: str, outlet: str) -> AtOutlet:
    """The part that one outlet has in an answer."""
    found = next(o for o in at_contract(told, stream)["outlets"] if o["outlet"] == outlet)
    at = datetime.datetime.fromisoformat(found["at"].replace("Z", "+00:00")).timestamp() if "at" in found else 0.0
    return AtOutlet(found["state"], at, found.get("reason", ""), found.get("since", ""))
