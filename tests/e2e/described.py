"""Runs schemathesis against what a daemon's listeners say of themselves."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def schemathesis(address: str, folder: Path, seed: int, examples: int, token: str = "") -> None:
    """Every check against one listener, with a token where it asks for one; fails with what was found. What the daemon writes by order is written below `folder`."""
    writes = folder / "written"
    writes.mkdir(exist_ok=True)
    command = [
        sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml"),
        "run", f"http://{address}/openapi.json", "--checks", "all", "--seed", str(seed), "--max-examples", str(examples),
        "--generation-database", "none", "--no-color", "--workers", "1", "--request-timeout", "30",
        # Hardly anything breaks the rules of a text in an address: much of what is made up to do so is dropped.
        "--suppress-health-check", "filter_too_much", "--continue-on-failure", "--warnings", "off",
        *(["--header", f"Authorization: Bearer {token}"] if token else []),
    ]
    done = subprocess.run(
        command, cwd=folder, text=True, capture_output=True, check=False, timeout=60 + 10 * examples,
        env=os.environ | {"SCHEMATHESIS_HOOKS": "described_hooks", "PYTHONPATH": str(HERE), "HORIZON_WRITES_BELOW": str(writes)})
    assert done.returncode == 0, f"schemathesis with seed {seed}:\n{done.stdout}\n{done.stderr}"
