"""Waiting for a condition, never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class TooLate(AssertionError):
    """A condition did not come true before its deadline."""


def wait_until(
    condition: Callable[[], T],
    what: str,
    seconds: float = 30.0,
    pause: float = 0.05,
    state: Callable[[], object] | None = None,
) -> T:
    """Returns the first true value of `condition`; raises `TooLate`, with `state()` in its text, at the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            detail = f": {state()}" if state else ""
            raise TooLate(f"not within {seconds:g} s: {what}{detail}")
        time.sleep(pause)
