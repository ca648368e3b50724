"""A daemon that asks who somebody is: its principals, their tokens, and certificates for its listeners."""

from __future__ import annotations

import hashlib
import secrets
import shutil
import ssl
from pathlib import Path

from authority import Authority
from facts import deposit
from rig.daemon import Daemon, request

TOKENS = {name: f"hzn_{secrets.token_urlsafe(32)}" for name in ("payments", "auditor", "operators", "stranger")}


def digest(token: str) -> str:
    """What the configuration keeps of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def access(*more: str, payments: str = "append: [account], import: [account], read: [account]") -> str:
    """The section `access`: a service, an auditor and operators."""
    return "\n".join([
        "", "access:", "  principals:",
        f"    payments: {{ tokens: [ {{ sha256: {digest(TOKENS['payments'])} }} ], grants: {{ {payments} }} }}",
        "    auditor: { tokens: [ { file: auditor.token } ], grants: { read: ['*'] } }",
        f"    operators: {{ tokens: [ {{ sha256: {digest(TOKENS['operators'])} }} ], grants: {{ operate: true }} }}",
        *more, ""])


def guard(daemon: Daemon) -> Daemon:
    """Has a daemon that is not started yet ask who somebody is."""
    (daemon.folder / "auditor.token").write_text(TOKENS["auditor"] + "\n")
    (daemon.folder / "before.yaml").write_text(daemon.config.read_text())
    daemon.config.write_text(daemon.config.read_text() + access())
    daemon.token = TOKENS["operators"]
    return daemon


def rewrite(daemon: Daemon, section: str) -> None:
    """Gives a guarded daemon another section `access`."""
    daemon.config.write_text((daemon.folder / "before.yaml").read_text() + section)


def bearer(name: str) -> dict[str, str]:
    """A principal's token as it is sent."""
    return {"authorization": f"Bearer {TOKENS[name]}"}


def append(daemon: Daemon, who: dict[str, str], stream: str = "account-1", tls: ssl.SSLContext | None = None) -> int:
    """Appends an event; the answer's status."""
    address = daemon.addresses()["http"]
    return request(address, "POST", f"/streams/{stream}", deposit("1"), who, tls=tls).status


def with_tls(daemon: Daemon, authority: Authority, identity: tuple[Path, Path], *listeners: str) -> tuple[Path, Path]:
    """Gives listeners a certificate, and tells its files, which may be replaced."""
    files = daemon.folder / "server.pem", daemon.folder / "server.key"
    replace(files, identity)
    for listener in listeners:
        prefix = f"HORIZON_{listener.upper()}__TLS"
        daemon.env |= {f"{prefix}__CERTIFICATE": str(files[0]), f"{prefix}__KEY__FILE": str(files[1]),
                       f"{prefix}__CLIENT_CA": str(authority.certificate)}
    return files


def replace(files: tuple[Path, Path], identity: tuple[Path, Path]) -> None:
    """Puts another certificate and key in their place."""
    for place, file in zip(files, identity):
        shutil.copy(file, place)
