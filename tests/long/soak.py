"""Random faults under load, and the whole truth afterwards; see `tests/long/soak`.

    soak.py MINUTES [SEED]
"""

from __future__ import annotations

import http.client
import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import exact
from facts import Event, deposit, loan_payment
from faults import PROTOCOLS, option, proxied_rack
from judges import judge, public_schemas, same_bytes
from oracle import forecast
from places import PUBLIC_SCHEMAS
from rack import brokers_in
from rig.waiting import wait_until

EVENTS_A_SECOND = 150
ACCOUNTS = 300
LONGEST_PAUSE_SECONDS = 4.0
SETTLE_SECONDS = 300


@dataclass
class Load:
    """Appends movements at an even rate, each until it is answered with success: a repeat is recognised by its id."""

    address: Callable[[], str]
    dice: random.Random
    over: threading.Event = field(default_factory=threading.Event)
    appended: list[Event] = field(default_factory=list)

    def run(self) -> None:
        """Appends until it is over."""
        while not self.over.wait(1 / EVENTS_A_SECOND):
            account = str(self.dice.randrange(ACCOUNTS))
            event = self.dice.choice((deposit, deposit, loan_payment))(account)
            self._append(f"/streams/account-{account}", event)
            self.appended.append(event)

    def _append(self, path: str, event: Event) -> None:
        body = json.dumps(event)
        while True:
            try:
                connection = http.client.HTTPConnection(self.address(), timeout=10)
                try:
                    connection.request("POST", path, body, {"content-type": "application/json"})
                    if connection.getresponse().status < 300:
                        return
                finally:
                    connection.close()
            except (OSError, http.client.HTTPException, ValueError):
                pass
            time.sleep(0.2)  # the daemon is away; so is its address


class Soak:
    """The faults, one after another; each is over before the next."""

    def __init__(self, running, dice: random.Random) -> None:
        self.rack, self.proxies, self.dice = running.rack, running.proxies, dice
        self.done: Counter[str] = Counter()
        connection = [self.cut, self.rob, self.hang, self.slow, self.delay, self.refuse]
        self.faults = connection * 2 + [self.kill_daemon, self.stop_daemon, self.stop_mosquitto, self.kill_rabbitmq,
                                        self.stop_rabbitmq, self.memory_alarm]

    def run(self, seconds: float) -> None:
        """Inflicts faults until the time is over."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(self.dice.uniform(0, LONGEST_PAUSE_SECONDS))
            fault = self.dice.choice(self.faults)
            fault()
            self.done[fault.__name__.replace("_", " ")] += 1

    def _proxy(self):
        return self.proxies[self.dice.choice(PROTOCOLS)]

    def _while(self, proxy, longest: float) -> None:
        time.sleep(self.dice.uniform(0.1, longest))
        proxy.heal()

    def cut(self) -> None:
        """A connection ends, by RST or FIN."""
        self._proxy().cut(reset=self.dice.random() < 0.7)

    def rob(self) -> None:
        """Acknowledgements are swallowed, then the connection is cut."""
        proxy = self._proxy()
        proxy.down.swallowing = True
        time.sleep(self.dice.uniform(0.05, 0.5))
        proxy.cut()
        proxy.heal()

    def hang(self) -> None:
        """A connection is there and carries nothing."""
        proxy = self._proxy()
        proxy.half_open()
        self._while(proxy, 8)

    def slow(self) -> None:
        """The broker reads slowly."""
        proxy = self._proxy()
        proxy.up.bytes_per_second = self.dice.randrange(20_000, 200_000)
        self._while(proxy, 5)

    def delay(self) -> None:
        """Everything takes longer."""
        proxy = self._proxy()
        proxy.up.latency_seconds = proxy.down.latency_seconds = self.dice.uniform(0.005, 0.2)
        self._while(proxy, 5)

    def refuse(self) -> None:
        """The broker cannot be reached."""
        proxy = self._proxy()
        proxy.refuse()
        proxy.cut()
        self._while(proxy, 5)

    def kill_daemon(self) -> None:
        """SIGKILL."""
        self.rack.daemon.kill()
        self.rack.daemon.start()

    def stop_daemon(self) -> None:
        """SIGTERM."""
        self.rack.daemon.stop()
        self.rack.daemon.start()

    def stop_mosquitto(self) -> None:
        """SIGTERM: it saves what it has acknowledged; killed, it would forget that."""
        self.rack.brokers.mosquitto.stop()
        self.rack.brokers.mosquitto.start()

    def kill_rabbitmq(self) -> None:
        """SIGKILL."""
        self.rack.brokers.rabbitmq.kill()
        self.rack.brokers.rabbitmq.start()

    def stop_rabbitmq(self) -> None:
        """SIGTERM, with its port mapper."""
        self.rack.brokers.rabbitmq.stop()
        self.rack.brokers.rabbitmq.start()

    def memory_alarm(self) -> None:
        """`connection.blocked`, for a while."""
        rabbitmq = self.rack.brokers.rabbitmq
        rabbitmq.ctl("set_vm_memory_high_watermark", "0.00001", seconds=300)
        time.sleep(self.dice.uniform(0.5, 5))
        rabbitmq.ctl("set_vm_memory_high_watermark", "absolute", "1GB", seconds=300)


def main(minutes: float, seed: int) -> None:
    """Runs, judges, and prints what was done and found."""
    print(f"seed {seed}, {minutes} minutes", flush=True)
    dice = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="horizon-soak-") as name:
        folder = Path(name)
        (folder / "soak").mkdir()
        with brokers_in(folder, persistence=True) as brokers, proxied_rack(folder / "soak", brokers) as running:
            daemon = running.rack.daemon
            daemon.env.update(option("mqtt", "acknowledgement_timeout_seconds", 3) | option("amqp", "confirm_timeout_seconds", 3))
            daemon.start()
            load = Load(lambda: daemon.addresses()["http"], random.Random(seed + 1))
            appending = threading.Thread(target=load.run)
            appending.start()
            soak = Soak(running, dice)
            try:
                soak.run(minutes * 60)
            finally:
                load.over.set()
                appending.join()
            for proxy in running.proxies.values():
                proxy.heal()
            running.rack.wait_settled(SETTLE_SECONDS)
            report(running.rack, load, soak)


def report(rack, load: Load, soak: Soak) -> None:
    """Judges what both consumers received; raises if anything is wrong."""
    due = forecast(exact.loads(json.dumps(event)) for event in load.appended)
    schemas = public_schemas(PUBLIC_SCHEMAS)
    verdicts = []
    for name, consumer in (("MQTT", rack.mqtt), ("AMQP", rack.amqp)):
        wait_until(lambda consumer=consumer: consumer.count() >= due.count(), "all public events", 120, pause=1.0)
        time.sleep(3)  # repeats that may still be on their way
        verdict = judge(consumer.messages(), due, schemas, repeats_allowed=True)
        verdict.assert_good()
        verdicts.append(verdict)
        print(f"{name}: {len(verdict.first):,} public events, none missing, in order per key; "
              f"{consumer.count() - len(verdict.first):,} repeats, identical")
    assert not same_bytes(*verdicts)
    parked = [relay for relay in rack.daemon.status()["relays"] if relay["parked"]]
    assert not parked, f"a fault of connections parked keys: {parked}"
    print(f"{len(load.appended):,} private events; {sum(soak.done.values())} faults: "
          + ", ".join(f"{name} {count}" for name, count in sorted(soak.done.items())))


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(1_000_000))
