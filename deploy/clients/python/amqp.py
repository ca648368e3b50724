"""Consumes public events over AMQP 0-9-1 (RabbitMQ), each once.

    amqp.py amqp://USER:PASSWORD@HOST:PORT/VHOST QUEUE EXCHANGE ROUTING-KEY INBOX

The queue is this program's own: it outlives the program, keeps what is published meanwhile, and puts what cannot be read
into QUEUE.dead. Of several such programs one is active, so that order is kept. SIGTERM ends the program cleanly.
"""

import signal
import sys
import threading
from pathlib import Path

import pika
from cloudevents.core.bindings.amqp import AMQPMessage, from_amqp_event
from inbox import Inbox, say
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError

PREFETCH = 1  # more than one comes back out of order when this program ends: a quorum queue does not put it back in its place
DELIVERY_LIMIT = 20
RETRY_SECONDS = 1


def declare(channel: BlockingChannel, queue: str, exchange: str, routing_key: str) -> None:
    """Declares the queue and its dead letters, and binds it to the exchange, which is Horizon's: missing, it is an error."""
    dead = f"{queue}.dead"
    channel.exchange_declare(dead, exchange_type="fanout", durable=True)
    channel.queue_declare(dead, durable=True, arguments={"x-queue-type": "quorum"})
    channel.queue_bind(dead, dead)
    channel.queue_declare(queue, durable=True, arguments={
        "x-queue-type": "quorum",
        "x-single-active-consumer": True,
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-dead-letter-exchange": dead,
    })
    channel.queue_bind(queue, exchange, routing_key)


def take(channel: BlockingChannel, method, properties: pika.BasicProperties, body: bytes, inbox: Inbox) -> None:
    """Acknowledges a message when its event is in the inbox, and not before."""
    message = AMQPMessage({"content-type": properties.content_type}, properties.headers or {}, body)
    try:
        event = from_amqp_event(message)
    except Exception as error:  # whatever the library makes of bytes that are no event
        say(f"unreadable, dead-lettered: {error!r}")
        channel.basic_nack(method.delivery_tag, requeue=False)
        return
    inbox.process(event)
    channel.basic_ack(method.delivery_tag)


def consume(url: str, queue: str, exchange: str, routing_key: str, inbox: Inbox, stopped: threading.Event) -> None:
    """Consumes over one connection, until it breaks or the program is told to stop."""
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        declare(channel, queue, exchange, routing_key)
        channel.basic_qos(prefetch_count=PREFETCH)
        say("subscribed")
        for method, properties, body in channel.consume(queue, inactivity_timeout=0.5):
            if stopped.is_set():
                return  # what was not acknowledged goes back into the queue
            if method:
                take(channel, method, properties, body, inbox)


def main(url: str, queue: str, exchange: str, routing_key: str, inbox: Path) -> None:
    """Consumes until it is told to stop."""
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    processed = Inbox(inbox)
    while not stopped.is_set():
        try:
            consume(url, queue, exchange, routing_key, processed, stopped)
        except (AMQPError, OSError) as error:
            say(f"not connected: {error!r}")
        stopped.wait(RETRY_SECONDS)
    say("stopped")


if __name__ == "__main__":
    main(*sys.argv[1:5], Path(sys.argv[5]))
