"""Free ports on the loopback interface."""

from __future__ import annotations

import random
import socket

LOOPBACK = "127.0.0.1"


def free_ports(count: int) -> list[int]:
    """Returns `count` different ports that nothing listens on now.

    They are reserved for a moment only, below the range from which the system takes ports for outgoing connections
    wherever that is possible, so that no client is given one of them before its server has bound it.
    """
    sockets = []
    try:
        for _ in range(count):
            sockets.append(_bound_socket())
        return [s.getsockname()[1] for s in sockets]
    finally:
        for s in sockets:
            s.close()


def _bound_socket() -> socket.socket:
    """A socket bound to a random port below 32768, or, after many attempts, to any."""
    chooser = random.SystemRandom()
    for _ in range(200):
        candidate = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            candidate.bind((LOOPBACK, chooser.randrange(20000, 32000)))
            return candidate
        except OSError:
            candidate.close()
    candidate = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    candidate.bind((LOOPBACK, 0))
    return candidate
