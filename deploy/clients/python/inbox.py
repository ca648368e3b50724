"""What has been processed: one CloudEvent a line, in a file that outlives the program.

Repeats are told by `source` and `id`, gaps by `previoussequence`. A line is on the disk before `process` returns, so before
the broker is told that the event is done with: a program that dies in between gets the event again, and tells the repeat.
A service with a database writes its own changes and the event's id in one transaction instead, and needs no file.
"""

import json
import os
import sys
from pathlib import Path

from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.formats.json import JSONFormat

NONE_BEFORE = "0" * 20


def say(text: str) -> None:
    """Prints one line at once."""
    print(text, flush=True)


class Inbox:
    """Processes each event once."""

    def __init__(self, path: Path) -> None:
        self._ids: set[tuple[str, str]] = set()
        self._sequences: set[tuple[str, str]] = set()
        self._file = path.open("a+b")
        self._file.seek(0)
        whole_bytes = 0
        for line in self._file:
            if not line.endswith(b"\n"):
                break  # the program died while it wrote: this event was not processed
            whole_bytes += len(line)
            event = json.loads(line)
            self._remember(event["source"], event["id"], event["sequence"])
        self._file.truncate(whole_bytes)

    def process(self, event: BaseCloudEvent) -> None:
        """Takes an event, unless it is a repeat; says when one before it is missing."""
        source, event_id = event.get_source(), event.get_id()
        sequence, previous = event.get_extension("sequence"), event.get_extension("previoussequence")
        if (source, event_id) in self._ids:
            self._remember(source, event_id, sequence)  # another one than before, if Horizon's store was restored meanwhile
            say(f"repeat {event_id}")
            return
        if previous != NONE_BEFORE and (source, previous) not in self._sequences:
            # The event is good all the same. Whether to go on, as here, is for each service to say.
            say(f"gap {source} key {event.get_extension('partitionkey')} {event.get_type()}: "
                f"{previous} should have come before {sequence}")
        try:
            self._file.write(JSONFormat().write(event) + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            sys.exit(f"the inbox cannot be written: {error}")  # nothing is acknowledged; start again when it can
        self._remember(source, event_id, sequence)
        say(f"processed {event_id}")

    def last_sequence(self) -> str:
        """The greatest sequence that was processed. A mark to go on behind where events come in their order: over HTTP."""
        return max((sequence for _, sequence in self._sequences), default=NONE_BEFORE)

    def _remember(self, source: str, event_id: str, sequence: str) -> None:
        self._ids.add((source, event_id))
        self._sequences.add((source, sequence))
