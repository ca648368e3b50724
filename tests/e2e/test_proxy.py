"""The faults of the proxy, seen from both of its ends."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from proxy import Proxy
from rig.ports import LOOPBACK
from rig.waiting import wait_until

SILENCE_SECONDS = 0.3


@dataclass
class Ends:
    """A server that listens, and the proxy before it."""

    listener: socket.socket
    proxy: Proxy

    def connect(self) -> tuple[socket.socket, socket.socket]:
        """A client's end and the server's end of one connection."""
        client = socket.create_connection((LOOPBACK, self.proxy.port), 5)
        server, _ = self.listener.accept()
        server.settimeout(5)
        return client, server


@pytest.fixture
def ends() -> Iterator[Ends]:
    with socket.create_server((LOOPBACK, 0)) as listener:
        listener.settimeout(5)
        proxy = Proxy(listener.getsockname()[1])
        yield Ends(listener, proxy)
        proxy.close()


def receive(end: socket.socket, count: int) -> bytes:
    """So many bytes."""
    received = bytearray()
    while len(received) < count:
        block = end.recv(count - len(received))
        assert block, f"the connection ended after {len(received)} bytes"
        received += block
    return bytes(received)


def assert_silent(end: socket.socket) -> None:
    """Nothing comes, and the connection stays."""
    end.settimeout(SILENCE_SECONDS)
    with pytest.raises(TimeoutError):
        end.recv(1)
    end.settimeout(5)


def test_everything_is_carried_both_ways_and_an_end_is_told(ends: Ends) -> None:
    client, server = ends.connect()
    for source, sink in ((client, server), (server, client)):
        sent = random.Random(1).randbytes(3_000_000)
        sending = threading.Thread(target=source.sendall, args=(sent,))
        sending.start()
        assert receive(sink, len(sent)) == sent
        sending.join()
    assert ends.proxy.up.passed_bytes == ends.proxy.down.passed_bytes == 3_000_000
    client.shutdown(socket.SHUT_WR)
    assert server.recv(1) == b""
    server.sendall(b"last words")
    server.close()
    assert receive(client, 10) == b"last words" and client.recv(1) == b""
    wait_until(lambda: ends.proxy.connections() == 0, "the connection is forgotten", 5)


def test_latency_delays_one_way_only_and_keeps_the_order(ends: Ends) -> None:
    client, server = ends.connect()
    ends.proxy.down.latency_seconds = 0.4
    begun = time.monotonic()
    client.sendall(b"up")
    assert receive(server, 2) == b"up" and time.monotonic() - begun < 0.3
    begun = time.monotonic()
    for byte in b"0123456789":
        server.sendall(bytes([byte]))
    assert receive(client, 10) == b"0123456789"
    assert 0.4 <= time.monotonic() - begun < 1.2, "the delays overlap"


@pytest.mark.parametrize("reset", [True, False])
def test_a_cut_ends_both_ends_at_once(ends: Ends, reset: bool) -> None:
    client, server = ends.connect()
    client.sendall(b"one")
    receive(server, 3)
    ends.proxy.cut(reset)
    for end in (client, server):
        if reset:
            with pytest.raises(ConnectionResetError):
                end.recv(1)
        else:
            assert end.recv(1) == b""
    client, server = ends.connect()
    client.sendall(b"two")
    assert receive(server, 3) == b"two", "a new connection is carried"


def test_a_connection_is_cut_after_so_many_bytes(ends: Ends) -> None:
    client, server = ends.connect()
    ends.proxy.up.cut_after_bytes = 10
    client.sendall(b"abcd")
    client.sendall(b"efghijklmnop")
    assert receive(server, 10) == b"abcdefghij"
    for end in (client, server):
        with pytest.raises(ConnectionResetError):
            end.recv(1)
    client, server = ends.connect()
    client.sendall(b"abcdefghijklmnop")
    assert receive(server, 16) == b"abcdefghijklmnop", "only once"


def test_a_half_open_connection_is_taken_and_goes_on_when_healed(ends: Ends) -> None:
    old_client, old_server = ends.connect()
    ends.proxy.half_open()
    new_client, new_server = ends.connect()
    for source, sink in ((old_client, old_server), (old_server, old_client), (new_client, new_server)):
        source.sendall(b"held")
        assert_silent(sink)
    ends.proxy.heal()
    for end in (old_client, old_server, new_server):
        assert receive(end, 4) == b"held"


def test_what_was_swallowed_stays_lost_and_the_other_way_goes_on(ends: Ends) -> None:
    client, server = ends.connect()
    server.sendall(b"before")
    assert receive(client, 6) == b"before"
    ends.proxy.down.swallowing = True
    server.sendall(b"lost")
    wait_until(lambda: ends.proxy.down.swallowed_bytes == 4, "the bytes are lost", 5)
    client.sendall(b"on")
    assert receive(server, 2) == b"on"
    ends.proxy.heal()
    server.sendall(b"after")
    assert_silent(client)
    client, server = ends.connect()
    server.sendall(b"new")
    assert receive(client, 3) == b"new"


def test_a_slow_reader_takes_so_many_bytes_a_second_and_stops_the_sender(ends: Ends) -> None:
    client, server = ends.connect()
    ends.proxy.up.bytes_per_second = 20_000
    client.setblocking(False)
    begun, sent = time.monotonic(), 0
    while time.monotonic() - begun < 1:
        try:
            sent += client.send(bytes(100_000))
        except BlockingIOError:
            time.sleep(0.01)
    assert ends.proxy.up.passed_bytes <= 200_000, "what was read before it became slow, and a second's worth"
    assert sent < 8_000_000, "the system's buffers, and no more"
    client.setblocking(True)
    ends.proxy.heal()
    assert receive(server, sent) == bytes(sent)


def test_refused_connections_leave_the_others_alone(ends: Ends) -> None:
    for _ in range(100):
        client, server = ends.connect()
        ends.proxy.refuse()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((LOOPBACK, ends.proxy.port), 5)
        client.sendall(b"still")
        assert receive(server, 5) == b"still"
        ends.proxy.accept()
    ends.connect()


def test_what_passes_is_shown_after_it_went_on(ends: Ends) -> None:
    client, server = ends.connect()
    seen: list[bytes] = []
    ends.proxy.up.on_passed = seen.append
    client.sendall(b"seen")
    assert receive(server, 4) == b"seen"
    wait_until(lambda: seen == [b"seen"], "the block is shown", 5, state=lambda: seen)
