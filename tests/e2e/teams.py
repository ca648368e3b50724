"""Commands of the `horizon` program on a team's folder, without a daemon."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from places import BINARY


def horizon(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("HORIZON_")}
    return subprocess.run([str(BINARY), *map(str, arguments)], env=own, cwd=cwd, text=True, capture_output=True,
                          timeout=60, check=False, stdin=subprocess.DEVNULL)
