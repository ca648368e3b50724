"""A rack with a proxy before each broker, and what tests of faults wait for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import exact
from facts import Event
from judges import Verdict
from oracle import STREAMS, Forecast, forecast
from parking import CREDITED, change
from proxy import Proxy
from rack import Brokers, Rack, rack_on
from rig.daemon import Daemon
from rig.inbox import Consumer
from rig.waiting import wait_until

PROTOCOLS = ("mqtt", "amqp")
OUTLETS = {"mqtt": "mqtt:main", "amqp": "amqp:rabbit"}
_BROKERS = {"mqtt": "MAIN__MQTT", "amqp": "RABBIT__AMQP"}


def option(protocol: str, name: str, value: object) -> dict[str, str]:
    """The environment that sets an option of the broker that speaks a protocol."""
    return {f"HORIZON_BROKERS__{_BROKERS[protocol]}__{name.upper()}": str(value)}


def states(daemon: Daemon, protocol: str) -> list[dict[str, Any]]:
    """The relays of one protocol."""
    names = [f"{stream}/{OUTLETS[protocol]}" for stream in STREAMS]
    return [relay for relay in daemon.status()["relays"] if relay["relay"] in names]


def wait_state(daemon: Daemon, protocol: str, state: str, error: str = "", seconds: float = 30) -> None:
    """Waits until all relays of a protocol are in a state, and the last thing that went wrong with them says `error`."""
    def reached() -> bool:
        return all(r["state"] == state and error in (r["lastError"] or "") for r in states(daemon, protocol))

    wait_until(reached, f"{protocol}: {state}, {error!r}", seconds, state=lambda: states(daemon, protocol))


def wait_connected(daemon: Daemon) -> None:
    """Waits until every relay has its connection."""
    for protocol in PROTOCOLS:
        wait_state(daemon, protocol, "connected")


@dataclass
class Proxied:
    """A rack whose daemon reaches each broker through a proxy; consumers reach them directly."""

    rack: Rack
    proxies: dict[str, Proxy]

    def consumer(self, protocol: str) -> Consumer:
        """The consumer at the broker that speaks a protocol."""
        return self.rack.mqtt if protocol == "mqtt" else self.rack.amqp

    def wait_at(self, protocol: str, count: int, seconds: float = 30) -> None:
        """Waits until one consumer has received so many messages."""
        consumer = self.consumer(protocol)
        wait_until(lambda: consumer.count() >= count, f"{count} messages over {protocol}", seconds, state=consumer.count)


@contextmanager
def proxied_rack(folder: Path, brokers: Brokers) -> Iterator[Proxied]:
    """A daemon that is not started yet, behind proxies without faults."""
    with ExitStack() as at_end:
        proxies = {"mqtt": Proxy(brokers.mosquitto.port), "amqp": Proxy(brokers.rabbitmq.port)}
        for proxy in proxies.values():
            at_end.callback(proxy.close)
        rack = at_end.enter_context(
            rack_on(folder, brokers, mqtt_port=proxies["mqtt"].port, amqp_port=proxies["amqp"].port, start=False))
        yield Proxied(rack, proxies)


def allow_long_currencies(daemon: Daemon) -> None:
    """Lets a currency be as long as a test needs it to be."""
    for schema in (CREDITED, Path("schemas/private/account/CashDeposited.json")):
        change(daemon, schema, "^[A-Z]{3}$", "^[A-Z]{3,}$")


def append_all(daemon: Daemon, events: list[Event]) -> None:
    """Appends events one by one."""
    for event in events:
        answer = daemon.http("POST", f"/streams/account-{event['data']['accountId']}", event)
        assert answer.status == 201, answer.body


def due_of(events: list[Event]) -> Forecast:
    """What must arrive of events made by hand."""
    return forecast(exact.loads(json.dumps(event)) for event in events)


def other(protocol: str) -> str:
    """The other protocol."""
    return next(p for p in PROTOCOLS if p != protocol)


def by_protocol(verdicts: tuple[Verdict, Verdict]) -> dict[str, Verdict]:
    """What was judged at each consumer."""
    return dict(zip(PROTOCOLS, verdicts, strict=True))
