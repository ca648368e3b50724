"""Replays and pauses, from the command line and over HTTP."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from facts import deposit
from oracle import ACCOUNTS
from rig.daemon import Daemon
from rig.inbox import Message
from rig.waiting import wait_until

MQTT, AMQP = "mqtt:main", "amqp:rabbit"
TOTALS = ("cursor", "confirmed", "unheard", "parked", "skipped", "parkedKeys")


def append_deposits(daemon: Daemon, keys: int, each: int, first: int = 1) -> list[str]:
    """Appends as many deposits for each of some accounts, in turn, in one commit; returns their ids."""
    events = [deposit(f"k{key}", amount) | {"stream": f"account-k{key}"}
              for amount in range(first, first + each) for key in range(keys)]
    answer = daemon.http("POST", "/commits", {"events": events})
    assert answer.status == 201, answer.body
    return [event["id"] for event in events]


def replay(daemon: Daemon, *words: str, outlet: str = MQTT, good: bool = True) -> dict[str, Any]:
    """Runs `horizon replay` to its end; what it told. Not good: it says that not everything was sent."""
    done = daemon.run("replay", ACCOUNTS, "--outlet", outlet, "--format", "json", *words)
    assert (done.returncode == 0) == good, f"{done.returncode}: {done.stdout}{done.stderr}"
    return json.loads(done.stdout)


def begin(daemon: Daemon, **wanted: Any) -> dict[str, Any]:
    """Begins a replay over HTTP."""
    answer = daemon.operator("POST", "/replays", {"contract": ACCOUNTS, "outlet": MQTT} | wanted)
    assert answer.status == 201, answer.body
    return answer.json()


def ended(daemon: Daemon, number: int, seconds: float = 30) -> dict[str, Any]:
    """Waits until a replay has ended; how it stands then."""
    def view() -> dict[str, Any] | None:
        told = daemon.operator("GET", f"/replays/{number}").json()
        return told if told["state"] != "running" else None
    return wait_until(view, "the replay has ended", seconds, state=lambda: daemon.operator("GET", f"/replays/{number}").body)


def totals(daemon: Daemon) -> dict[str, dict[str, Any]]:
    """What live delivery has come to, by relay."""
    return {relay["relay"]: {name: relay[name] for name in TOTALS} for relay in daemon.status()["relays"]}


def of_relay(messages: list[Message], stream: str = ACCOUNTS) -> dict[int, Message]:
    """Messages of a public stream by their sequence; each must be there once."""
    found: dict[int, Message] = {}
    for message in messages:
        event = json.loads(message.payload)
        if stream.removesuffix(".v1").replace(".", "/").removeprefix("bank/") in event["source"]:
            assert int(event["sequence"]) not in found, event
            found[int(event["sequence"])] = message
    return found


def sequences(messages: list[Message]) -> list[int]:
    """The sequences of messages as they arrived."""
    return [int(json.loads(message.payload)["sequence"]) for message in messages]


def pause(daemon: Daemon, outlet: str = MQTT, reason: str = "a test") -> subprocess.CompletedProcess[str]:
    """Pauses a relay of bank.accounts, and insists that it works."""
    done = daemon.run("pause", ACCOUNTS, "--outlet", outlet, "--reason", reason)
    assert done.returncode == 0, done.stderr
    return done


def resume(daemon: Daemon, outlet: str = MQTT) -> subprocess.CompletedProcess[str]:
    """Resumes a relay of bank.accounts, and insists that it works."""
    done = daemon.run("resume", ACCOUNTS, "--outlet", outlet)
    assert done.returncode == 0, done.stderr
    return done
