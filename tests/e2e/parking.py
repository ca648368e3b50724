"""Parked keys and reloads, from the command line."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from rig.daemon import Daemon

CREDITED = Path("schemas/public/bank.accounts/credited.v1.json")
CONTRACT = Path("contracts/bank.accounts.v1.yaml")


def parked(daemon: Daemon, *filters: str) -> list[dict[str, Any]]:
    """What `horizon parked` lists."""
    done = daemon.run("parked", "--format", "json", *filters)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["keys"]


def shown(daemon: Daemon, key: str, contract: str, *more: str) -> dict[str, Any]:
    """What `horizon parked show` tells of one key."""
    done = daemon.run("parked", "show", key, "--contract", contract, "--format", "json", *more)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def order(daemon: Daemon, *words: str, good: bool = True) -> dict[str, Any]:
    """Retries or skips; what it told. Not good: a key stays parked, and the command says so."""
    done = daemon.run("parked", *words, "--format", "json")
    assert (done.returncode == 0) == good, f"{done.returncode}: {done.stdout}{done.stderr}"
    return json.loads(done.stdout)


def reload(daemon: Daemon) -> dict[str, Any]:
    """Reloads, and insists that it works."""
    done = daemon.run("reload", "--format", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def refused_reload(daemon: Daemon) -> subprocess.CompletedProcess[str]:
    """Reloads, and insists that it is refused."""
    done = daemon.run("reload")
    assert done.returncode == 2, f"{done.returncode}: {done.stdout}{done.stderr}"
    return done


def change(daemon: Daemon, file: Path, old: str, new: str) -> None:
    """Changes a file of the daemon's folder."""
    path = daemon.folder / file
    text = path.read_text()
    assert old in text, f"{old!r} is not in {path}"
    path.write_text(text.replace(old, new))


def allow_nothing(daemon: Daemon) -> None:
    """Lets amounts of nothing cross: what a deposit of 0 violated is mended."""
    change(daemon, CREDITED, '"exclusiveMinimum": 0', '"minimum": 0')
