"""Where things are: the repository, the binary, and the bank's events."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLE = REPOSITORY / "deploy" / "example"
SHOP = REPOSITORY / "deploy" / "shop"
PUBLIC_SCHEMAS = EXAMPLE / "schemas" / "public"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
BINARY = Path(os.environ.get("DAEMON_UNDER_TEST", TARGET / "release" / "horizon"))
NODE_MODULES = TARGET / "tests-node" / "node_modules"
BANK_EVENTS = Path(os.environ.get("BANK_EVENTS", REPOSITORY.parent / "shared" / "data" / "bank" / "events.jsonl.gz"))
GENERATED_EVENTS = 20_000


def bank_events(folder: Path) -> Path:
    """The bank's real events, or made-up ones where the file is not there."""
    return BANK_EVENTS if BANK_EVENTS.exists() else generated_events(folder, GENERATED_EVENTS)


def generated_events(folder: Path, count: int, seed: int = 1) -> Path:
    """Made-up events, the same for the same count and seed."""
    path = folder / f"generated-{count}-{seed}.jsonl"
    if not path.exists():
        with path.open("wb") as sink:
            command = [sys.executable, str(EXAMPLE / "generate"), "--events", str(count), "--seed", str(seed)]
            subprocess.run(command, stdout=sink, check=True)
    return path
