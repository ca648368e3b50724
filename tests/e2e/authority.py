"""A certificate authority for tests, and what it signs, made by the `openssl` command."""

from __future__ import annotations

import hashlib
import ssl
import subprocess
from pathlib import Path

NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


class Authority:
    """A private certificate authority in a folder of its own."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self.folder = folder / name
        self.folder.mkdir()
        self._signed = 0
        self._openssl("req", "-x509", *NEW_KEY, "-days", "2", "-subj", f"/CN={name}", "-keyout", "ca.key", "-out", "ca.pem")

    @property
    def certificate(self) -> Path:
        """The authority's own certificate."""
        return self.folder / "ca.pem"

    def sign(self, common_name: str, alternatives: str = "DNS:localhost,IP:127.0.0.1") -> tuple[Path, Path]:
        """A certificate and its key."""
        self._signed += 1
        number = str(self._signed)
        self._openssl("req", "-new", *NEW_KEY, "-subj", f"/CN={common_name}", "-addext", f"subjectAltName={alternatives}",
                      "-keyout", f"{number}.key", "-out", f"{number}.csr")
        self._openssl("x509", "-req", "-CA", "ca.pem", "-CAkey", "ca.key", "-set_serial", number, "-days", "2",
                      "-in", f"{number}.csr", "-out", f"{number}.pem", "-copy_extensions", "copy")
        return self.folder / f"{number}.pem", self.folder / f"{number}.key"

    def client(self, identity: tuple[Path, Path] | None = None) -> ssl.SSLContext:
        """What a client needs that trusts this authority, and shows a certificate if it has one."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        if identity:
            context.load_cert_chain(*map(str, identity))
        return context

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True, timeout=60)


def fingerprint(certificate: Path) -> str:
    """The SHA-256 of a certificate."""
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate.read_text())).hexdigest()
