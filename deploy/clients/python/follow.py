"""Consumes public events over HTTP, without a broker, each once.

    follow.py http://HOST:PORT CONTRACT INBOX

It goes on behind the last event in the inbox: events come in the order of their `sequence`, so nothing else needs to be kept. A token
in the environment, HORIZON_TOKEN, says who it is. SIGTERM ends the program cleanly.
"""

import http.client
import os
import signal
import sys
import time
from pathlib import Path
from urllib.parse import quote, urlsplit

import sseclient
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from inbox import Inbox, say

SILENCE_SECONDS = 60  # something comes every 15 seconds, if only a comment
RETRY_SECONDS = 1
TRY_AGAIN = (429, 500, 502, 503, 504)


class Stopped(Exception):
    """It was told to stop."""


def stop(*_: object) -> None:
    """Ends whatever is waited for."""
    raise Stopped


def connect(url: str) -> http.client.HTTPConnection:
    """A connection that notices when nothing comes any more."""
    at = urlsplit(url)
    kind = http.client.HTTPSConnection if at.scheme == "https" else http.client.HTTPConnection
    return kind(at.hostname or "localhost", at.port, timeout=SILENCE_SECONDS)


def follow(url: str, contract: str, inbox: Inbox) -> None:
    """Processes events until the connection ends."""
    headers = {"accept": "text/event-stream"}
    if token := os.environ.get("HORIZON_TOKEN"):
        headers["authorization"] = f"Bearer {token}"
    connection = connect(url)
    try:
        connection.request("GET", f"/public/{quote(contract)}?after={int(inbox.last_sequence())}", headers=headers)
        answer = connection.getresponse()
        if answer.status in TRY_AGAIN:
            say(f"refused: {answer.status}")
            return
        if answer.status != 200:
            # A restore may have undone what is in the inbox: 409 says behind which sequence to go on, and a person must decide.
            sys.exit(f"refused: {answer.status} {answer.read().decode()}")
        say("connected")
        for told in sseclient.SSEClient(answer).events():
            if told.event == "message":
                signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT])  # end between two events
                inbox.process(JSONFormat().read(CloudEvent, told.data))
                signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM, signal.SIGINT])
    finally:
        connection.close()


def main(url: str, contract: str, inbox: Path) -> None:
    """Consumes until it is told to stop."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    processed = Inbox(inbox)
    try:
        while True:
            try:
                follow(url, contract, processed)
            except (OSError, http.client.HTTPException) as error:
                say(f"disconnected: {error!r}")
            time.sleep(RETRY_SECONDS)
    except Stopped:
        say("stopped")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
