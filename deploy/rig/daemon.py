"""The daemon `horizon serve` on a folder of configuration, contracts and schemas, and its HTTP interface."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .processes import Process
from .waiting import wait_until


@dataclass(frozen=True)
class Answer:
    """One HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


def request(address: str, method: str, path: str, body: object | bytes | None = None,
            headers: Mapping[str, str] | None = None, seconds: float = 30, tls: ssl.SSLContext | None = None) -> Answer:
    """One HTTP request, with TLS where it is given; anything but bytes is sent as JSON."""
    payload = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    all_headers = {"content-type": "application/json", **(headers or {})} if payload is not None else dict(headers or {})
    connection = (http.client.HTTPSConnection(address, timeout=seconds, context=tls) if tls
                  else http.client.HTTPConnection(address, timeout=seconds))
    try:
        connection.request(method, path, payload, all_headers)
        answer = connection.getresponse()
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    finally:
        connection.close()


@dataclass
class Daemon:
    """One folder with `horizon.yaml`, and the daemon on it while it runs.

    Its ports are chosen by the system anew at each start, and found in `addresses.json`.
    """

    binary: Path
    folder: Path
    mqtt_port: int
    amqp_port: int
    env: dict[str, str] = field(default_factory=dict)
    token: str = ""
    log: Path = field(init=False)
    _process: Process | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.log = self.folder / "daemon.log"

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.folder / "horizon.yaml"

    @property
    def process(self) -> Process:
        """The running process."""
        assert self._process, "the daemon was never started"
        return self._process

    def environment(self) -> dict[str, str]:
        """What replaces the example's ports, and what the caller adds."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("HORIZON_")}
        return own | {
            "HORIZON_HTTP__LISTEN": "127.0.0.1:0",
            "HORIZON_OPERATOR__LISTEN": "127.0.0.1:0",
            "HORIZON_BROKERS__MAIN__MQTT__PORT": str(self.mqtt_port),
            "HORIZON_BROKERS__RABBIT__AMQP__PORT": str(self.amqp_port),
            **({"HORIZON_TOKEN": self.token} if self.token else {}),
        } | self.env

    def start(self, *flags: str, seconds: float = 60) -> None:
        """Starts it and returns once it answers."""
        self._addresses_file.unlink(missing_ok=True)
        command: list[str | Path] = [self.binary, "serve", "--config", self.config, *flags]
        self._process = Process(command, self.log, env=self.environment(), cwd=self.folder)
        wait_until(self._ready, "the daemon answers", seconds, state=self._process.tail)

    def stop(self, seconds: float = 30) -> int:
        """SIGTERM; returns the exit code."""
        return self._process.stop(seconds) if self._process else 0

    def kill(self) -> None:
        """SIGKILL."""
        if self._process:
            self._process.kill()

    def command(self, *arguments: str | Path) -> list[str]:
        """A command line of the `horizon` program for this folder."""
        return [str(self.binary), *map(str, arguments), "--config", str(self.config)]

    def run(self, *arguments: str | Path, seconds: float = 120) -> subprocess.CompletedProcess[str]:
        """Runs another `horizon` command to its end."""
        return subprocess.run(self.command(*arguments), env=self.environment(), cwd=self.folder, text=True,
                              capture_output=True, timeout=seconds, check=False, stdin=subprocess.DEVNULL)

    def http(self, method: str, path: str, body: object | bytes | None = None,
             headers: Mapping[str, str] | None = None) -> Answer:
        """A request to the private listener."""
        return request(self.addresses()["http"], method, path, body, headers)

    def exact_http(self, method: str, path: str, body: bytes, headers: Mapping[str, str] | Sequence[tuple[str, str]]) -> Answer:
        """A request to the private listener with these headers and no others, but for those of HTTP itself."""
        pairs = headers.items() if isinstance(headers, Mapping) else headers
        connection = http.client.HTTPConnection(self.addresses()["http"], timeout=30)
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            for name, value in pairs:
                connection.putheader(name, value)
            connection.putheader("content-length", str(len(body)))
            try:
                connection.endheaders(body)
            except (BrokenPipeError, ConnectionResetError):
                pass  # it may refuse before it has read everything; the answer tells
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def operator(self, method: str, path: str, body: object | bytes | None = None) -> Answer:
        """A request to the operator's listener."""
        addresses = self.addresses()
        # Whether its certificate is good is for tests of certificates.
        tls = ssl._create_unverified_context() if "operator" in addresses.get("certificates", {}) else None
        headers = {"authorization": f"Bearer {self.token}"} if self.token else {}
        return request(addresses["operator"], method, path, body, headers, seconds=60, tls=tls)

    def status(self) -> dict[str, Any]:
        """What `/status` says."""
        return self.operator("GET", "/status").json()

    def addresses(self) -> dict[str, Any]:
        """Where it listens."""
        return json.loads(self._addresses_file.read_text())

    def contract(self, stream: str) -> dict[str, Any]:
        """The state of one contract."""
        return next(c for c in self.status()["contracts"] if c["contract"] == stream)

    def relay(self, relay: str) -> dict[str, Any]:
        """The state of one relay."""
        return next(r for r in self.status()["relays"] if r["relay"] == relay)

    def idle(self, *relays: str) -> bool:
        """Whether every contract has looked at the whole log, and these relays (all, if none is named) have settled what crossed."""
        status = self.status()
        head = status["log"]["head"]
        lags = [r["lag"] for r in status["relays"] if not relays or r["relay"] in relays]
        return all(c["cursor"] >= head for c in status["contracts"]) and not any(lags)

    def wait_settled(self, *relays: str, seconds: float = 120) -> None:
        """Waits until it is `idle`. What a consumer has received is not settled yet: the acknowledgement still has to come and be stored."""
        wait_until(lambda: self.idle(*relays), f"all has crossed, and {relays or 'every relay'} has nothing to send", seconds, 0.1,
                   state=self.status)

    @property
    def _addresses_file(self) -> Path:
        return Path(self.env.get("HORIZON_DATA", self.folder / "data")) / "addresses.json"

    def _ready(self) -> bool:
        if not self.process.running():
            raise RuntimeError(f"the daemon ended with {self.process.exit_code()}:\n{self.process.tail(40)}")
        try:
            return self.operator("GET", "/health").status == 200
        except (OSError, ValueError, http.client.HTTPException):
            return False
