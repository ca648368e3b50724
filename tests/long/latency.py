"""From a durable append to a subscriber, beside what the two steps cost alone; see `outlets.py`."""

from __future__ import annotations

import http.client
import json
import os
import statistics
import threading
import time
from pathlib import Path

from measure import say
from rack import Brokers, rack_on
from rig.consumers.mqtt import new_client
from rig.inbox import mqtt_consumer
from rig.ports import LOOPBACK

EVENTS_A_SECOND = 1_000
SECONDS = 15
CLIENTS = 8
PAYLOAD_BYTES = 600


def measure(folder: Path, brokers: Brokers) -> None:
    """Prints the way of an event, and the steps alone."""
    say("latency: one synced write")
    write = synced_writes(folder)
    say("latency: one bare publish to a subscriber")
    bare = bare_publishes(folder, brokers)
    say("latency: the whole way")
    way = whole_way(folder, brokers)
    both = statistics.median(write) + statistics.median(bare)
    print(f"\n| at {EVENTS_A_SECOND} events a second | median, ms | 99th percentile, ms |\n|---|---:|---:|")
    for what, times in (("one synced write of 600 bytes", write), ("one bare publish at QoS 1 to a subscriber", bare),
                        ("from the beginning of an append to a subscriber", way)):
        print(f"| {what} | {statistics.median(times) * 1000:.2f} | {percentile(times, 99) * 1000:.2f} |")
    print(f"\nThe median is {statistics.median(way) / both:.1f} times the sum of the first two medians, "
          f"the 99th percentile {percentile(way, 99) / both:.1f} times.", flush=True)


def percentile(times: list[float], which: int) -> float:
    """So many of a hundred are below it."""
    return statistics.quantiles(times, n=100)[which - 1]


def synced_writes(folder: Path) -> list[float]:
    """Appends to a file, each synced, one after another at the same rate."""
    times = []
    with (folder / "synced").open("wb", buffering=0) as sink:
        for _ in ticks(2):
            begun = time.perf_counter()
            sink.write(b"x" * PAYLOAD_BYTES)
            os.fdatasync(sink.fileno())
            times.append(time.perf_counter() - begun)
    return times


def ticks(seconds: float, rate: float = EVENTS_A_SECOND):
    """Yields at an even rate, and makes up for what was late."""
    begun = time.perf_counter()
    for number in range(int(seconds * rate)):
        wait = begun + number / rate - time.perf_counter()
        if wait > 0:
            time.sleep(wait)
        yield number


def bare_publishes(folder: Path, brokers: Brokers) -> list[float]:
    """A Python publisher, and the same consumer as for the whole way."""
    consumer = mqtt_consumer(brokers.mosquitto.port, folder / "bare.jsonl", "bare/#", "bare-judge")
    client = new_client("bare-publisher")
    client.connect(LOOPBACK, brokers.mosquitto.port)
    client.loop_start()
    sent = {}
    for number in ticks(SECONDS):
        sent[number] = time.time()
        client.publish("bare/x", json.dumps({"n": number}).ljust(PAYLOAD_BYTES), qos=1)
    wait_for(consumer, len(sent))
    client.loop_stop()
    client.disconnect()
    consumer.stop()
    return [message.at - sent[json.loads(message.payload)["n"]] for message in consumer.messages()]


def wait_for(consumer, count: int) -> None:
    """Until so many have arrived, half a minute at most."""
    for _ in range(600):
        if consumer.count() >= count:
            return
        time.sleep(0.05)
    raise AssertionError(f"{consumer.count()} of {count} arrived")


def whole_way(folder: Path, brokers: Brokers) -> list[float]:
    """Single appends of several clients over HTTP; the amount tells an event among the public ones."""
    work = folder / "latency"
    work.mkdir()
    with rack_on(work, brokers) as rack:
        address = rack.daemon.addresses()["http"]
        sent: dict[float, float] = {}
        threads = [threading.Thread(target=append, args=(address, client, sent)) for client in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wait_for(rack.mqtt, len(sent))
        arrived = [(json.loads(message.payload)["data"], message.at) for message in rack.mqtt.messages()]
    return [at - sent[data["amount"]] for data, at in arrived]


def append(address: str, client: int, sent: dict[float, float]) -> None:
    """Appends deposits, each to an account of its own, at its share of the rate."""
    connection = http.client.HTTPConnection(address, timeout=30)
    for number in ticks(SECONDS, EVENTS_A_SECOND / CLIENTS):
        amount = client * 1_000_000 + number + 1
        account = f"{client}{number % 500}"
        event = {"id": f"latency-{amount}", "type": "CashDeposited", "time": "2024-01-01T00:00:00Z",
                 "data": {"transactionId": str(amount), "accountId": account, "amount": amount, "currency": "CZK", "balance": amount}}
        sent[amount] = time.time()
        connection.request("POST", f"/streams/account-{account}", json.dumps(event), {"content-type": "application/json"})
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status < 300, body
    connection.close()
