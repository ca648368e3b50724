"""Mosquitto and RabbitMQ in folders and on loopback ports of their own.

A broker keeps its ports and its folder over `stop`, `kill` and `start`, so that clients find it again.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from .ports import LOOPBACK, free_ports
from .processes import Process
from .waiting import wait_until

_RABBITMQ_SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


class Missing(RuntimeError):
    """A broker is not installed on this machine."""


def _program(name: str) -> str:
    """Where a program is; Debian puts daemons into folders that a user's PATH may lack."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/local/sbin")
    if not found:
        raise Missing(f"{name} is not installed")
    return found


class Mosquitto:
    """An MQTT broker that queues without a bound for sessions that persist."""

    def __init__(self, folder: Path, persistence: bool = False, extra: str = "") -> None:
        self.folder = folder
        self.port = free_ports(1)[0]
        self._process: Process | None = None
        store = folder / "mosquitto"
        store.mkdir(parents=True, exist_ok=True)
        self.config = folder / "mosquitto.conf"
        self.config.write_text(
            f"listener {self.port} {LOOPBACK}\n"
            "allow_anonymous true\n"
            "user root\n"  # keeps root when started by root; others stay who they are
            f"persistence {'true' if persistence else 'false'}\n"
            f"persistence_location {store}/\n"
            "persistent_client_expiration 1d\n"
            "max_queued_messages 0\n"
            "max_inflight_messages 1000\n"
            "set_tcp_nodelay true\n"
            "log_dest stderr\n"
            "log_type error\nlog_type warning\nlog_type notice\n" + extra
        )

    def start(self) -> None:
        """Starts it and waits until it answers a connection."""
        self._process = Process(
            [_program("mosquitto"), "-c", str(self.config)], self.folder / "mosquitto.log"
        )
        wait_until(self._ready, "Mosquitto accepts connections", 20, state=self._process.tail)

    def reload(self) -> None:
        """SIGHUP: it reads its access rules and passwords again."""
        assert self._process
        self._process.send(signal.SIGHUP)

    def stop(self) -> None:
        """SIGTERM: with persistence on, it saves its messages before it ends."""
        if self._process:
            self._process.stop(20)

    def kill(self) -> None:
        """SIGKILL: messages not saved are gone."""
        if self._process:
            self._process.kill()

    def _ready(self) -> bool:
        assert self._process
        if not self._process.running():
            raise RuntimeError(f"Mosquitto ended: {self._process.tail()}")
        return _accepts(self.port)


class RabbitMq:
    """An AMQP 0-9-1 broker with an Erlang port mapper of its own, both away from any that the system runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self._distribution_port, self._mapper_port = free_ports(3)
        self._process: Process | None = None
        self._mapper: Process | None = None
        self._home = folder / "rabbitmq"
        self._home.mkdir(parents=True, exist_ok=True)
        (self._home / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = {LOOPBACK}:{self.port}\n"
            "log.console = true\nlog.console.level = warning\nlog.file = false\n"
            "disk_free_limit.absolute = 50MB\n"
            "vm_memory_high_watermark.absolute = 1GB\n"
        )
        (self._home / "enabled_plugins").write_text("[].\n")
        (self._home / "env.conf").write_text("")

    def start(self) -> None:
        """Starts it and waits until it speaks AMQP."""
        if not _RABBITMQ_SERVER.exists():
            raise Missing("rabbitmq-server is not installed")
        if self._mapper is None or not self._mapper.running():
            self._mapper = Process(
                [_program("epmd"), "-address", LOOPBACK, "-port", str(self._mapper_port)],
                self.folder / "epmd.log",
                env=self._environment(),
            )
            wait_until(lambda: _accepts(self._mapper_port), "epmd accepts connections", 10)
        self._process = Process(
            [_RABBITMQ_SERVER], self.folder / "rabbitmq.log", env=self._environment(), cwd=self._home
        )
        wait_until(self._ready, "RabbitMQ speaks AMQP", 90, pause=0.1, state=self._process.tail)

    def stop(self) -> None:
        """SIGTERM, then the port mapper."""
        if self._process:
            self._process.stop(30)
        if self._mapper:
            self._mapper.kill()
            self._mapper = None

    def kill(self) -> None:
        """SIGKILL to the server's whole group; the port mapper stays, as it does on a real machine."""
        if self._process:
            self._process.kill()

    def ctl(self, *arguments: str, seconds: float = 60) -> str:
        """Runs `rabbitmqctl` on this broker, insists that it works, and returns what it printed."""
        command = [str(_RABBITMQ_SERVER.with_name("rabbitmqctl")), "--quiet", *arguments]
        done = subprocess.run(command, env=self._environment(), cwd=self._home, text=True, capture_output=True,
                              timeout=seconds, check=False, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            raise RuntimeError(f"rabbitmqctl {arguments[0]} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def _environment(self) -> dict[str, str]:
        """The variables that keep every file and port of it apart from a system-wide RabbitMQ."""
        home = self._home
        return {
            "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/lib/rabbitmq/bin",
            "LANG": "C.UTF-8",
            "HOME": str(home),  # the Erlang cookie
            "ERL_EPMD_PORT": str(self._mapper_port),
            "ERL_EPMD_ADDRESS": LOOPBACK,
            "RABBITMQ_NODENAME": f"horizon{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_CONF_ENV_FILE": str(home / "env.conf"),
            "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(home / "advanced.config"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(home / "generated"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
            "RABBITMQ_LOG_BASE": str(home / "log"),
            "RABBITMQ_PID_FILE": str(home / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "+sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}"
            ),
            "RUNNING_UNDER_SYSTEMD": "1",  # replaces the shell by the server: one process to signal
        }

    def _ready(self) -> bool:
        assert self._process
        if not self._process.running():
            raise RuntimeError(f"RabbitMQ ended: {self._process.tail()}")
        return _speaks_amqp(self.port)


def _accepts(port: int) -> bool:
    try:
        socket.create_connection((LOOPBACK, port), 1).close()
    except OSError:
        return False
    return True


def _speaks_amqp(port: int) -> bool:
    """Whether the server answers the protocol header with a method frame (Connection.Start)."""
    try:
        with socket.create_connection((LOOPBACK, port), 1) as connection:
            connection.settimeout(2)
            connection.sendall(b"AMQP\x00\x00\x09\x01")
            return connection.recv(1) == b"\x01"
    except OSError:
        return False
