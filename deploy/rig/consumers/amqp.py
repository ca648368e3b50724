"""A RabbitMQ consumer with a durable queue of its own, bound to topic exchanges by every routing key.

    amqp.py PORT QUEUE EXCHANGE[,EXCHANGE...] FILE

It prints `subscribed` once the queue is bound, acknowledges each message by hand after writing it down, reconnects
for ever, and ends on SIGTERM. Works with pika 1.2 and later.
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError

sys.path.insert(0, str(Path(__file__).resolve().parent))
from record import Recorder, say, stop_on_signal  # noqa: E402

WINDOW = 500


def prepare(channel: BlockingChannel, queue: str, exchanges: list[str]) -> None:
    """Declares the queue and its bindings, which are the consumer's own business."""
    channel.queue_declare(queue, durable=True)
    for exchange in exchanges:
        channel.exchange_declare(exchange, exchange_type="topic", durable=True)
        channel.queue_bind(queue, exchange, routing_key="#")
    channel.basic_qos(prefetch_count=WINDOW)


def consume(parameters: pika.ConnectionParameters, queue: str, exchanges: list[str], recorder: Recorder,
            stopped: threading.Event) -> None:
    """Records messages over one connection, until it breaks or the program is told to stop."""
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        prepare(channel, queue, exchanges)

        def on_message(_channel: BlockingChannel, method: Any, properties: pika.BasicProperties, body: bytes) -> None:
            place = {"exchange": method.exchange, "routing_key": method.routing_key}
            recorder.write(place, {k: v for k, v in vars(properties).items() if v is not None}, body)
            channel.basic_ack(method.delivery_tag)

        channel.basic_consume(queue, on_message)
        say("subscribed")
        while not stopped.is_set():
            connection.process_data_events(time_limit=0.2)


def main(port: int, queue: str, exchanges: list[str], file: Path) -> None:
    """Consumes and records until it is told to stop."""
    recorder = Recorder(file)
    stopped = stop_on_signal()
    parameters = pika.ConnectionParameters("127.0.0.1", port, heartbeat=10, socket_timeout=5)
    while not stopped.is_set():
        try:
            consume(parameters, queue, exchanges, recorder, stopped)
        except (AMQPError, OSError):
            time.sleep(0.2)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3].split(","), Path(sys.argv[4]))
