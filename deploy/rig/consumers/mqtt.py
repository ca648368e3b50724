"""An MQTT 5 subscriber whose session outlives its connections and the broker's restarts.

    mqtt.py PORT CLIENT-ID TOPIC-FILTER FILE

It prints `subscribed` once the broker has confirmed the subscription, reconnects for ever, and ends on SIGTERM.
Works with paho-mqtt 1.6 and 2.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

sys.path.insert(0, str(Path(__file__).resolve().parent))
from record import Recorder, say, stop_on_signal  # noqa: E402

SESSION_SECONDS = 24 * 3600


def new_client(client_id: str) -> mqtt.Client:
    """A client of either major version of the library."""
    if hasattr(mqtt, "CallbackAPIVersion"):
        return mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=client_id, protocol=mqtt.MQTTv5)
    return mqtt.Client(client_id=client_id, protocol=mqtt.MQTTv5)


def main(port: int, client_id: str, topic_filter: str, file: Path) -> None:
    """Subscribes and records until it is told to stop."""
    recorder = Recorder(file)
    stopped = stop_on_signal()
    client = new_client(client_id)

    def on_connect(session: mqtt.Client, *_: Any) -> None:
        session.subscribe(topic_filter, qos=1)

    def on_subscribe(*_: Any) -> None:
        say("subscribed")

    def on_message(_client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        properties = message.properties.json() if message.properties else {}
        place = {"topic": message.topic, "qos": str(message.qos), "retain": str(message.retain)}
        recorder.write(place, properties, message.payload)

    client.on_connect = on_connect
    client.on_subscribe = on_subscribe
    client.on_message = on_message

    session = Properties(PacketTypes.CONNECT)
    session.SessionExpiryInterval = SESSION_SECONDS
    session.ReceiveMaximum = 1000
    connected = False
    while not stopped.is_set():
        try:
            if not connected:
                client.connect("127.0.0.1", port, keepalive=60, clean_start=False, properties=session)
                connected = True
            if client.loop(timeout=0.2) != mqtt.MQTT_ERR_SUCCESS:
                connected = False
        except OSError:
            connected = False
        if not connected:
            time.sleep(0.1)
    # No DISCONNECT: the session stays with the broker.


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3], Path(sys.argv[4]))
