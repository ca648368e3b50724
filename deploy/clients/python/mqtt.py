"""Consumes public events over MQTT 5, each once.

    mqtt.py mqtt://USER:PASSWORD@HOST:PORT CLIENT-ID TOPIC-FILTER INBOX

The session outlives the connection: what is published meanwhile waits at the broker. Two programs with one client id throw
each other out. SIGTERM ends the program cleanly.
"""

import signal
import sys
import threading
from pathlib import Path
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as mqtt
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from dateutil.parser import isoparse
from inbox import Inbox, say
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

SESSION_SECONDS = 7 * 24 * 3600  # longer than this program is ever away
IN_FLIGHT = 100
RETRY_SECONDS = 1


def read(message: mqtt.MQTTMessage) -> CloudEvent:
    """The event in a message. The library has no binding for MQTT, so that binary mode's attributes are handed to it."""
    content_type = getattr(message.properties, "ContentType", "application/cloudevents+json")
    if content_type.startswith("application/cloudevents"):
        return JSONFormat().read(CloudEvent, message.payload)
    attributes = dict(message.properties.UserProperty, datacontenttype=content_type)
    attributes["time"] = isoparse(attributes["time"])
    return CloudEvent(attributes, JSONFormat().read_data(message.payload, content_type))


def connect_properties() -> Properties:
    """A session that is kept, and a bound on what the broker sends ahead."""
    properties = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = SESSION_SECONDS
    properties.ReceiveMaximum = IN_FLIGHT
    return properties


def new_client(user: str | None, password: str | None, client_id: str, topic_filter: str, inbox: Inbox) -> mqtt.Client:
    """A client that acknowledges a message when its event is in the inbox, and not before."""
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=client_id, protocol=mqtt.MQTTv5, manual_ack=True)
    if user:
        client.username_pw_set(unquote(user), unquote(password or ""))

    def on_connect(_client, _data, _flags, reason, _properties) -> None:
        if reason.is_failure:
            say(f"refused: {reason}")
        else:
            # Without a session this begins one; with one it changes nothing.
            client.subscribe(topic_filter, qos=1)

    def on_subscribe(_client, _data, _mid, reasons, _properties) -> None:
        say(f"not subscribed: {reasons[0]}" if reasons[0].is_failure else "subscribed")

    def on_message(_client, _data, message: mqtt.MQTTMessage) -> None:
        try:
            event = read(message)
        except Exception as error:  # whatever the library makes of bytes that are no event
            say(f"unreadable at {message.topic}: {error!r}")  # MQTT has no dead letters: said, and passed over
        else:
            inbox.process(event)
        client.ack(message.mid, message.qos)

    client.on_connect, client.on_subscribe, client.on_message = on_connect, on_subscribe, on_message
    return client


def main(url: str, client_id: str, topic_filter: str, inbox: Path) -> None:
    """Consumes until it is told to stop."""
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    at = urlsplit(url)
    client = new_client(at.username, at.password, client_id, topic_filter, Inbox(inbox))
    while not stopped.is_set():
        try:
            client.connect(at.hostname, at.port or 1883, clean_start=False, properties=connect_properties())
        except OSError as error:
            say(f"not connected: {error}")
        else:
            while client.loop(timeout=0.5) == mqtt.MQTT_ERR_SUCCESS and not stopped.is_set():
                pass
        stopped.wait(RETRY_SECONDS)
    client.disconnect()
    client.loop()
    say("stopped")


if __name__ == "__main__":
    main(*sys.argv[1:4], Path(sys.argv[4]))
