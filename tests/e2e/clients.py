"""The clients of `deploy/clients`, copied out and run as a stranger would: with a user of their own, who may do no more than is needed."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from places import NODE_MODULES, REPOSITORY
from rack import Brokers
from rig.ports import LOOPBACK
from rig.processes import Process
from rig.waiting import wait_until

CLIENTS = REPOSITORY / "deploy" / "clients"
EXCHANGE = "bank.accounts.v1"
PASSWORD = "only for tests"
GAP = re.compile(r"gap (?P<source>\S+) key (?P<key>.+) (?P<type>\S+): (?P<previous>\d{20}) should have come before (?P<sequence>\d{20})")


@dataclass
class Client:
    """One client; its name is its user, its client id and its queue."""

    language: str
    protocol: str
    place: str
    """A topic filter or a routing key."""
    folder: Path
    port: int
    _process: Process | None = field(init=False, default=None)

    @property
    def name(self) -> str:
        """What it is called everywhere."""
        return f"{self.language}-{self.protocol}"

    def start(self) -> None:
        """Starts it, and returns once the broker has confirmed its subscription."""
        before = self.said("subscribed")
        self._process = Process(self._command(), self._log, cwd=self.folder / self.language)
        wait_until(lambda: self.said("subscribed") > before, f"{self.name} has subscribed", 30, state=self._process.tail)

    def stop(self) -> None:
        """Asks it to end, and insists that it does so cleanly."""
        assert self._process
        self._process.send(signal.SIGTERM)
        assert self._process.wait(10) == 0, self._process.tail()
        assert self._process.tail(1) == "stopped"

    def kill(self) -> None:
        """Ends it at whatever it does."""
        if self._process:
            self._process.kill()

    def lines(self) -> list[str]:
        """Everything that it said, over all its starts."""
        return self._log.read_text().splitlines() if self._log.exists() else []

    def said(self, word: str) -> int:
        """How many of its lines begin with a word."""
        return sum(re.match(r"\w*", line)[0] == word for line in self.lines())

    def gaps(self) -> list[re.Match[str]]:
        """The gaps that it told."""
        return [found for line in self.lines() if line.startswith("gap ") and (found := GAP.fullmatch(line))]

    def inbox(self) -> list[dict[str, Any]]:
        """The events that it processed."""
        text = self._inbox.read_bytes() if self._inbox.exists() else b""
        return [json.loads(line) for line in text.split(b"\n")[:-1]]

    def _command(self) -> list[str]:
        program = [sys.executable, f"{self.protocol}.py"] if self.language == "python" else ["node", f"{self.protocol}.mjs"]
        url = f"{self.protocol}://{self.name}:{PASSWORD.replace(' ', '%20')}@{LOOPBACK}:{self.port}"
        exchange = [EXCHANGE] if self.protocol == "amqp" else []
        return [*program, url, self.name, *exchange, self.place, str(self._inbox)]

    @property
    def _log(self) -> Path:
        return self.folder / f"{self.name}.log"

    @property
    def _inbox(self) -> Path:
        return self.folder / f"{self.name}.inbox.jsonl"


def copied_out(folder: Path, mqtt_port: int, amqp_port: int) -> list[Client]:
    """The four clients in a folder of their own. Those in JavaScript want a part of the events only."""
    shutil.copytree(CLIENTS, folder, dirs_exist_ok=True)
    (folder / "javascript" / "node_modules").symlink_to(NODE_MODULES)
    return [
        Client("python", "mqtt", "bank/accounts/v1/#", folder, mqtt_port),
        Client("python", "amqp", "account.*", folder, amqp_port),
        Client("javascript", "mqtt", "bank/accounts/v1/+/credited", folder, mqtt_port),
        Client("javascript", "amqp", "account.credited", folder, amqp_port),
    ]


def give_rights(folder: Path, brokers: Brokers) -> None:
    """Writes users and their rights into the configuration of brokers that do not run yet. Others may do anything."""
    names = [f"{language}-{protocol}" for language in ("python", "javascript") for protocol in ("mqtt", "amqp")]
    passwords, rules = folder / "mosquitto.passwords", folder / "mosquitto.rules"
    passwords.touch(mode=0o600)
    for name in names:
        subprocess.run(["mosquitto_passwd", "-b", passwords, name, PASSWORD], check=True, capture_output=True)
    rules.write_text("topic readwrite #\n" + "".join(f"user {name}\ntopic read bank/accounts/v1/#\n" for name in names))
    with brokers.mosquitto.config.open("a") as config:
        config.write(f"password_file {passwords}\nacl_file {rules}\n")

    definitions = folder / "rabbitmq.definitions.json"
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    definitions.write_text(json.dumps({
        "vhosts": [{"name": "/"}],
        "users": [{"name": "guest", "password": "guest", "tags": "administrator"},
                  *({"name": name, "password": PASSWORD, "tags": ""} for name in names)],
        "permissions": [{"user": "guest", "vhost": "/", **everything},
                        *({"user": name, "vhost": "/", **rights(name)} for name in names)],
    }))
    with (folder / "rabbitmq" / "rabbitmq.conf").open("a") as config:
        config.write(f"load_definitions = {definitions}\n")


def rights(queue: str) -> dict[str, str]:
    """What `bridge/docs/consuming.md` says that a consumer needs."""
    exchange = EXCHANGE.replace(".", r"\.")
    return {"configure": rf"^{queue}(\.dead)?$", "write": rf"^{queue}(\.dead)?$", "read": rf"^({queue}(\.dead)?|{exchange})$"}
