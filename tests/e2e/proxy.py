"""A TCP proxy with faults, to stand between the daemon and a broker.

It has two ways: `up` from the client to the server, `down` back. A fault of a way holds for all its connections, from the
moment it is set until `heal`. What was swallowed stays lost: a connection that lost bytes never carries any again that way.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from rig.ports import LOOPBACK, free_ports

_BLOCK_BYTES = 65_536
# How much the system takes from a client on the proxy's behalf: little, so that a slow reader is felt at once.
_RECEIVE_BUFFER_BYTES = 65_536
_BLOCKS_UNDERWAY = 256
_PAUSE_SECONDS = 0.005
# With SO_LINGER on and 0 seconds, closing a socket sends RST.
_RESET = struct.pack("ii", 1, 0)


@dataclass
class Way:
    """One direction: what is wrong with it, and what went through."""

    latency_seconds: float = 0.0
    bytes_per_second: int | None = None  # a slow reader
    held: bool = False  # nothing goes on, nothing is lost
    swallowing: bool = False  # nothing goes on, everything is lost
    cut_after_bytes: int | None = None  # so many more, then the connection that carried the last one is reset
    on_passed: Callable[[bytes], None] | None = None  # called with each block after it went on; it must not wait
    passed_bytes: int = 0
    swallowed_bytes: int = 0

    def heal(self) -> None:
        """Takes every fault away, and keeps the counts."""
        self.__dict__.update(Way(passed_bytes=self.passed_bytes, swallowed_bytes=self.swallowed_bytes).__dict__)

    def block_bytes(self) -> int:
        """How much to read at once."""
        return max(1, self.bytes_per_second // 20) if self.bytes_per_second else _BLOCK_BYTES


class Proxy:
    """Listens on a port of its own, and carries what comes to a server and back."""

    def __init__(self, server_port: int) -> None:
        self.port = free_ports(1)[0]
        self.up, self.down = Way(), Way()
        self._server_port = server_port
        self._listening: asyncio.Task[None] | None = None
        self._links: set[_Link] = set()
        self._beginning: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.accept()

    def accept(self) -> None:
        """Takes connections, again if it refused them."""
        self._do(self._accept())

    def refuse(self) -> None:
        """Refuses connections; those that are there stay."""
        self._do(self._refuse())

    def half_open(self) -> None:
        """Takes connections, keeps those that are there, and carries nothing."""
        self.up.held = self.down.held = True

    def cut(self, reset: bool = True) -> None:
        """Ends all connections, by RST, or by FIN to both ends."""
        self._do(self._cut(reset))

    def heal(self) -> None:
        """Takes every fault away. What was held goes on."""
        self.up.heal()
        self.down.heal()
        self.accept()

    def connections(self) -> int:
        """How many connections there are."""
        return len(self._links)

    def close(self) -> None:
        """Ends everything."""
        self.refuse()
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _accept(self) -> None:
        if self._listening is None:
            listener = socket.socket()
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
            listener.bind((LOOPBACK, self.port))
            listener.listen()
            listener.setblocking(False)
            self._listening = asyncio.create_task(self._listen(listener))

    async def _listen(self, listener: socket.socket) -> None:
        with listener:
            while True:
                client, _ = await self._loop.sock_accept(listener)
                # On its own: one that is under way is not refused.
                beginning = asyncio.create_task(self._begin(client))
                self._beginning.add(beginning)
                beginning.add_done_callback(self._beginning.discard)

    async def _begin(self, client: socket.socket) -> None:
        server = socket.socket()
        server.setblocking(False)
        try:
            await self._loop.sock_connect(server, (LOOPBACK, self._server_port))
        except OSError:
            _close(client, reset=True)
            server.close()
        else:
            self._links.add(_Link(self, client, server))

    async def _refuse(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, *self._beginning, return_exceptions=True)
            self._listening = None

    async def _cut(self, reset: bool) -> None:
        await asyncio.gather(*self._beginning)
        await asyncio.gather(*(link.end(reset) for link in list(self._links)))

    def forget(self, link: _Link) -> None:
        """A connection is over."""
        self._links.discard(link)


class _Link:
    """One client's connection, and the one to the server that belongs to it."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._ends = (client, server)
        for end in self._ends:
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._open_ways = 2
        self._ended = False
        ways = ((client, server, proxy.up), (server, client, proxy.down))
        self._tasks = [asyncio.create_task(self._carry(*way)) for way in ways]

    async def end(self, reset: bool) -> None:
        """Stops carrying and ends both connections."""
        if self._ended:
            return
        self._ended = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for end in self._ends:
            _close(end, reset)
        self._proxy.forget(self)

    def _end_later(self, reset: bool) -> None:
        asyncio.get_running_loop().create_task(self.end(reset))

    async def _carry(self, source: socket.socket, sink: socket.socket, way: Way) -> None:
        """One way of the connection, until it ends."""
        underway: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_BLOCKS_UNDERWAY)
        both = [asyncio.create_task(_read(underway, source, way)), asyncio.create_task(self._deliver(underway, sink, way))]
        try:
            await asyncio.gather(*both)
            self._open_ways -= 1
            if self._open_ways == 0:
                self._end_later(reset=False)
        except OSError:
            self._end_later(reset=True)
        finally:
            # Nobody waits for a socket any more when it is closed: its number goes to the next one.
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)

    async def _deliver(self, underway: asyncio.Queue[tuple[float, bytes]], sink: socket.socket, way: Way) -> None:
        loop = asyncio.get_running_loop()
        lost = False
        while True:
            read_at, block = await underway.get()
            while (wait := read_at + way.latency_seconds - loop.time()) > 0:
                await asyncio.sleep(wait)
            while way.held:
                await asyncio.sleep(_PAUSE_SECONDS)
            lost = lost or way.swallowing
            if lost:
                way.swallowed_bytes += len(block)
            elif block:
                await self._pass(block, sink, way)
            if not block:
                if not lost:
                    sink.shutdown(socket.SHUT_WR)
                return

    async def _pass(self, block: bytes, sink: socket.socket, way: Way) -> None:
        last = way.cut_after_bytes is not None and len(block) >= way.cut_after_bytes
        if last:
            block = block[: way.cut_after_bytes]
        await asyncio.get_running_loop().sock_sendall(sink, block)
        way.passed_bytes += len(block)
        if last:
            way.cut_after_bytes = None
            raise ConnectionResetError
        if way.cut_after_bytes is not None:
            way.cut_after_bytes -= len(block)
        if way.on_passed:
            way.on_passed(block)


async def _read(underway: asyncio.Queue[tuple[float, bytes]], source: socket.socket, way: Way) -> None:
    """Reads until the end, which is an empty block."""
    loop = asyncio.get_running_loop()
    block = b"begin"
    while block:
        block = await loop.sock_recv(source, way.block_bytes())
        await underway.put((loop.time(), block))
        if block and way.bytes_per_second:
            await asyncio.sleep(len(block) / way.bytes_per_second)


def _close(end: socket.socket, reset: bool) -> None:
    """Closes a socket. By FIN: even if bytes wait to be read, for which the system would send RST."""
    if reset:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    else:
        _read_rest(end)
    end.close()


def _read_rest(end: socket.socket) -> None:
    try:
        while end.recv(_BLOCK_BYTES):
            pass
    except OSError:
        pass
