"""An issuer of JSON Web Tokens for tests: signs with the `openssl` command, and serves its keys over HTTP."""

from __future__ import annotations

import base64
import json
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from rig.ports import LOOPBACK


def encode(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Issuer:
    """An issuer with an RSA key."""

    def __init__(self, folder: Path, port: int, key_id: str = "one") -> None:
        self.port, self.key_id = port, key_id
        self._key = folder / f"{key_id}.key"
        self._run("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", str(self._key))
        self.fetches = 0
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """Where its keys are."""
        return f"http://{LOOPBACK}:{self.port}/jwks.json"

    def keys(self) -> dict[str, Any]:
        """Its keys as a JWK Set."""
        modulus = self._run("rsa", "-in", str(self._key), "-noout", "-modulus").decode().strip().split("=")[1]
        return {"keys": [{"kty": "RSA", "kid": self.key_id, "use": "sig", "n": encode(bytes.fromhex(modulus)), "e": "AQAB"}]}

    def token(self, algorithm: str = "RS256", **claims: Any) -> str:
        """A token that is good for a minute, with these claims over the usual ones."""
        all_claims = {"iss": "https://login.bank.example", "aud": "horizon", "exp": int(time.time()) + 60} | claims
        header = {"alg": algorithm, "kid": self.key_id, "typ": "JWT"}
        message = ".".join(encode(json.dumps(part).encode()) for part in (header, all_claims))
        signature = self._run("dgst", "-sha256", "-sign", str(self._key), stdin=message.encode())
        return f"{message}.{encode(signature)}"

    def serve(self) -> None:
        """Begins to answer."""
        issuer, keys = self, json.dumps(self.keys()).encode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # noqa: N802
                issuer.fetches += 1
                self.send_response(200)
                self.send_header("content-length", str(len(keys)))
                self.end_headers()
                self.wfile.write(keys)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer((LOOPBACK, self.port), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Answers no more."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    @staticmethod
    def _run(*arguments: str, stdin: bytes | None = None) -> bytes:
        return subprocess.run(["openssl", *arguments], input=stdin, check=True, capture_output=True, timeout=60).stdout
