"""A disk with faults under the daemon: `store/tests/store/shim/faults.c`, preloaded. What it can do stands there."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from places import REPOSITORY
from rig.daemon import Daemon

SOURCE = REPOSITORY / "store" / "tests" / "store" / "shim" / "faults.c"
MIB = 1024 * 1024


def compile_shim(folder: Path) -> Path:
    """Compiles the shim."""
    library = folder / "faults.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", library, SOURCE, "-ldl", "-lpthread"], check=True)
    return library


@dataclass
class Disk:
    """The disk under one daemon."""

    daemon: Daemon
    control: Path

    def set_free(self, mib: int) -> None:
        """Says how much is free."""
        new = self.control / "free-bytes.new"
        new.write_text(str(mib * MIB))
        new.rename(self.control / "free-bytes")

    def fail_sync(self, nth: int) -> None:
        """Makes a sync fail; to be called before the daemon starts."""
        self.daemon.env["FAULTS_FAIL_SYNC"] = str(nth)

    def mend(self) -> None:
        """The next start of the daemon finds a good disk."""
        self.daemon.env.pop("FAULTS_FAIL_SYNC", None)


def put_under(daemon: Daemon, library: Path) -> Disk:
    """Puts a disk under a daemon that is not started yet."""
    control = daemon.folder / "disk"
    control.mkdir()
    daemon.env |= {"LD_PRELOAD": str(library), "FAULTS_CONTROL": str(control), "FAULTS_DIR": str(daemon.folder / "data")}
    return Disk(daemon, control)
