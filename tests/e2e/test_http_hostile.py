"""Slow and hostile clients over HTTP: what they cost is bounded, and others are served meanwhile."""

from __future__ import annotations

import gzip
import resource
import signal
import socket
import ssl
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from authority import Authority
from facts import deposit, event
from rig.daemon import Answer, Daemon, request
from rig.waiting import wait_until

MIB = 1024 * 1024
# What a daemon may take more of while it is attacked, in bytes.
MEMORY_BYTES = 128 * MIB
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADERS, RST_STREAM, SETTINGS, CONTINUATION = 1, 3, 4, 9


def memory(daemon: Daemon, name: str = "VmRSS") -> int:
    """Resident bytes of the daemon now, or at their highest (VmHWM)."""
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    return int(status.split(f"{name}:")[1].split()[0]) * 1024


@contextmanager
def bounded(daemon: Daemon, grows: int = MEMORY_BYTES) -> Iterator[None]:
    """Insists that the daemon's memory is bounded, and that it serves others at the end."""
    before = memory(daemon)
    yield
    assert memory(daemon, "VmHWM") - before < grows, "the memory that it took"
    served(daemon)


def served(daemon: Daemon, seconds: float = 5) -> None:
    """Insists that somebody else is served in good time."""
    address = daemon.addresses()["http"]
    assert request(address, "POST", "/streams/account-77", deposit("77"), seconds=seconds).status == 201
    assert request(address, "GET", "/streams/account-77?limit=1", seconds=seconds).status == 200


def connect(daemon: Daemon, buffer_bytes: int | None = None) -> socket.socket:
    """A connection to the private listener."""
    host, port = daemon.addresses()["http"].split(":")
    opened = socket.socket()
    if buffer_bytes:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
    opened.settimeout(30)
    opened.connect((host, int(port)))
    return opened


def ended(opened: socket.socket, seconds: float = 20) -> bytes:
    """What comes until the other side ends the connection; fails if it does not."""
    opened.settimeout(seconds)
    received = b""
    try:
        while more := opened.recv(65536):
            received += more
    except ConnectionError:
        pass
    return received


def listener(daemon: Daemon) -> dict[str, int]:
    """Numbers of the private listener."""
    return daemon.status()["listeners"]["http"]


def limited(daemon: Daemon, **limits: int) -> Daemon:
    """Starts a daemon with other limits."""
    daemon.env |= {f"HORIZON_LIMITS__{name.upper()}": str(value) for name, value in limits.items()}
    daemon.start()
    return daemon


def test_header_sections_that_never_end_are_cut_off(lone_daemon: Daemon) -> None:
    daemon = limited(lone_daemon, header_seconds=3)
    with bounded(daemon), ExitStack() as at_end:
        silent = [at_end.enter_context(connect(daemon)) for _ in range(50)]
        slow = [at_end.enter_context(connect(daemon)) for _ in range(50)]
        for opened in slow:
            opened.sendall(b"GET /health HTTP/1.1\r\nhost: localhost\r\n")
        begun, cut = time.monotonic(), 0
        while cut < len(slow) and time.monotonic() - begun < 20:
            cut = 0
            for number, opened in enumerate(slow):
                try:
                    opened.sendall(f"x-{number}: y\r\n".encode())
                except ConnectionError:
                    cut += 1
            served(daemon)
            time.sleep(0.2)  # the pace of a slow client
        assert cut == len(slow), "bytes that come now and then keep no connection"
        for opened in silent:
            assert ended(opened) == b""
        assert listener(daemon)["overdue"] >= 100


def test_endless_header_sections_are_refused(daemon: Daemon) -> None:
    with bounded(daemon):
        for head in (b"x: " + b"y" * 100 * 1024 + b"\r\n", b"".join(f"x-{n}: y\r\n".encode() for n in range(1000))):
            with connect(daemon) as opened:
                opened.sendall(b"GET /health HTTP/1.1\r\nhost: localhost\r\n")
                sent = 0
                try:
                    while sent < 64 * MIB:
                        opened.sendall(head)
                        sent += len(head)
                except ConnectionError:
                    pass
                assert sent < 64 * MIB
                assert b" 200 " not in ended(opened)
        url = f"http://{daemon.addresses()['http']}/health"
        done = subprocess.run(["curl", "-sS", "--http2-prior-knowledge", "-H", "x: " + "y" * 60_000, "-o", "/dev/null", "-w", "%{http_code}", url],
                              capture_output=True, text=True, timeout=30, check=False)
        assert done.stdout == "431" or done.returncode != 0, done.stdout
        with connect(daemon) as opened:
            opened.sendall(b"GET /health HTTP/1.1\r\nhost: localhost\r\n" + b"".join(f"x-{n}: y\r\n".encode() for n in range(200)) + b"\r\n")
            assert ended(opened).startswith(b"HTTP/1.1 431")


@pytest.mark.parametrize("chunked", [True, False], ids=["chunked", "with its length"])
def test_a_body_of_a_gigabyte_is_refused(daemon: Daemon, chunked: bool) -> None:
    length = b"transfer-encoding: chunked" if chunked else b"content-length: 1073741824"
    part = b"[" + b" " * (MIB - 1)
    with bounded(daemon), connect(daemon) as opened:
        opened.sendall(b"POST /streams/account-1 HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n" + length + b"\r\n\r\n")
        sent = 0
        try:
            while sent < 1024 * MIB:
                opened.sendall(b"%x\r\n%b\r\n" % (len(part), part) if chunked else part)
                sent += len(part)
        except ConnectionError:
            pass
        assert sent < 64 * MIB, "it was not read to its end"


def test_bodies_together_take_bounded_memory(lone_daemon: Daemon) -> None:
    daemon = limited(lone_daemon, memory_bytes=32 * MIB)
    with bounded(daemon), ExitStack() as at_end:
        body = b"[" + b" " * (3 * MIB)
        opened = [at_end.enter_context(connect(daemon)) for _ in range(60)]
        for one in opened:
            one.sendall(b"POST /streams/account-1 HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 4000000\r\n\r\n")
            one.settimeout(5)
            try:
                one.sendall(body)
            except (TimeoutError, ConnectionError):
                pass
        refused = 0
        for one in opened:
            one.settimeout(0.5)
            try:
                refused += one.recv(100).startswith(b"HTTP/1.1 503")
            except (TimeoutError, ConnectionError):
                pass
        assert refused >= 30
        at_end.close()
        wait_until(lambda: listener(daemon)["connections"] == 0, "they are gone", 10)
        served(daemon)


def test_encoded_bodies_are_refused_unread(daemon: Daemon) -> None:
    bomb = gzip.compress(bytes(256 * MIB), 9)
    with bounded(daemon):
        for encoding, body in (("gzip", gzip.compress(b"{}")), ("gzip", bomb), ("br", b"x"), ("gzip, identity", b"x")):
            answer = daemon.http("POST", "/streams/account-1", body, {"content-encoding": encoding})
            assert answer.status == 415 and answer.headers["accept-encoding"] == "identity", encoding
        plain = daemon.http("POST", "/streams/account-1", deposit("1"), {"content-encoding": "identity"})
        assert plain.status == 201


def fill(daemon: Daemon, events: int = 60, size: int = 150_000) -> None:
    """Stores so much that a page of the log is many times what a socket buffers."""
    daemon.stop()
    daemon.config.write_text(daemon.config.read_text().replace("events_without_schema: refuse", "events_without_schema: accept"))
    daemon.start()
    for _ in range(events):
        assert daemon.http("POST", "/streams/heap-1", event("Heaped", {"text": "x" * size})).status == 201


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """An HTTP/2 frame (RFC 9113, 4.1)."""
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def header_block(path: bytes) -> bytes:
    """A GET of a path (RFC 7541): indexed fields, and two literals that are not indexed."""
    return b"\x82\x86" + b"\x04" + bytes([len(path)]) + path + b"\x01" + b"\x09localhost"


def test_readers_that_stall_are_cut_off(lone_daemon: Daemon) -> None:
    lone_daemon.env["HORIZON_LIMITS__STALLED_SECONDS"] = "3"
    fill(lone_daemon)
    daemon = lone_daemon
    page = daemon.http("GET", "/log?limit=1000").body
    assert len(page) > 4 * MIB, len(page)
    with bounded(daemon, 2 * MEMORY_BYTES), ExitStack() as at_end:
        before = listener(daemon)["overdue"]
        for _ in range(10):
            opened = at_end.enter_context(connect(daemon, 4096))
            opened.sendall(b"GET /log?limit=1000 HTTP/1.1\r\nhost: localhost\r\n\r\n")
        # HTTP/2, with a window that is never opened.
        for _ in range(10):
            opened = at_end.enter_context(connect(daemon))
            opened.sendall(PREFACE + frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0)) + frame(HEADERS, 5, 1, header_block(b"/log?limit=1000")))
        wait_until(lambda: listener(daemon)["connections"] >= 20, "all are connected", 10)
        served(daemon)
        wait_until(lambda: listener(daemon)["overdue"] >= before + 20 and listener(daemon)["connections"] == 0,
                   "all are cut off", 20, state=lambda: listener(daemon))
        # A slow one that reads is left alone.
        slow = at_end.enter_context(connect(daemon, 65536))
        slow.sendall(b"GET /log?limit=1000 HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        received = 0
        while more := slow.recv(MIB // 4):
            received += len(more)
            time.sleep(0.1)  # the pace of a slow reader
        assert received >= len(page)


def test_many_readers_that_stall_take_bounded_memory(lone_daemon: Daemon) -> None:
    lone_daemon.env["HORIZON_LIMITS__MEMORY_BYTES"] = str(64 * MIB)
    fill(lone_daemon)
    daemon = lone_daemon
    with bounded(daemon, 2 * MEMORY_BYTES), ExitStack() as at_end:
        readers = [at_end.enter_context(connect(daemon, 4096)) for _ in range(150)]
        for reader in readers:
            reader.sendall(b"GET /log?limit=1000 HTTP/1.1\r\nhost: localhost\r\n\r\n")
        statuses = [reader.recv(12)[9:] for reader in readers]
        assert 1 <= statuses.count(b"200") <= 30 and statuses.count(b"503") >= 100, statuses
        served(daemon)
    wait_until(lambda: daemon.http("GET", "/log?limit=1000").status == 200, "what they held is free again", 10)


def test_floods_of_http2_frames_end_the_connection(daemon: Daemon) -> None:
    with bounded(daemon):
        opening = PREFACE + frame(SETTINGS, 0, 0)
        with connect(daemon) as opened:  # streams that are begun and reset (CVE-2023-44487)
            opened.sendall(opening)
            assert floods(opened, (frame(HEADERS, 5, n, header_block(b"/health")) + frame(RST_STREAM, 0, n, b"\0\0\0\x08")
                                   for n in range(1, 400_001, 2)))
        with connect(daemon) as opened:  # a header section without an end (CVE-2024-27316)
            block = b"\x00\x01x\x7f\xff\x7e" + b"y" * 16_000
            opened.sendall(opening + frame(HEADERS, 1, 1, header_block(b"/health")))
            assert floods(opened, (frame(CONTINUATION, 0, 1, block) for _ in range(4_000)))


def floods(opened: socket.socket, frames: Iterator[bytes]) -> bool:
    """Whether the other side ends the connection before all frames are sent and read."""
    try:
        for one in frames:
            opened.sendall(one)
    except ConnectionError:
        return True
    opened.settimeout(5)
    try:
        while opened.recv(65536):
            pass
        return True
    except ConnectionError:
        return True
    except TimeoutError:
        return False


def test_ten_thousand_connections_leave_room_for_others(lone_daemon: Daemon) -> None:
    wanted = 10_000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard // 2)
    # The daemon is started with few files, and raises its limit itself.
    resource.setrlimit(resource.RLIMIT_NOFILE, (1_024, hard))
    try:
        limited(lone_daemon, header_seconds=120, idle_seconds=120)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    daemon = lone_daemon
    try:
        with bounded(daemon, 2 * MEMORY_BYTES), ExitStack() as at_end:
            for number in range(count):
                opened = at_end.enter_context(connect(daemon))
                if number % 2:
                    opened.sendall(b"GET /health HTTP/1.1\r\nhost: localhost\r\nx: ")
                if number % 1_000 == 0:
                    served(daemon)
            wait_until(lambda: listener(daemon)["connections"] == count, "all are open", 30, state=lambda: listener(daemon))
            served(daemon)
            assert listener(daemon)["refused"] == 0
        wait_until(lambda: listener(daemon)["connections"] == 0, "all are gone", 30, state=lambda: listener(daemon))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_room_is_made_of_idle_connections(lone_daemon: Daemon) -> None:
    daemon = limited(lone_daemon, connections=64, header_seconds=120, idle_seconds=120)
    with ExitStack() as at_end:
        for number in range(300):
            at_end.enter_context(connect(daemon))
            if number % 50 == 0:
                served(daemon)
        served(daemon)
        numbers = listener(daemon)
        assert numbers["connections"] <= 64 and numbers["madeRoom"] >= 230 and numbers["refused"] == 0
        # Where every connection is at work, the new one is refused, and the operator is not.
        def one_more_is_refused() -> bool:
            try:
                half(at_end.enter_context(connect(daemon)))
            except ConnectionError:
                pass  # refused
            return listener(daemon)["refused"] > 0

        wait_until(one_more_is_refused, "there is no room", 20, 0, state=lambda: listener(daemon))


def half(opened: socket.socket) -> bytes:
    """Sends the first half of a request, and returns the other one."""
    body = b'{"id": "half-1", "type": "CashDeposited", "time": "2026-01-31T12:00:00Z", "data": {"transactionId": "half", "accountId": "9",' \
        b' "amount": 1.0, "currency": "CZK", "balance": 1.0}}'
    opened.sendall(b"POST /streams/account-9 HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body))
    opened.sendall(body[:20])
    return body[20:]


def test_a_caller_has_so_many_requests_in_flight_at_most(lone_daemon: Daemon) -> None:
    daemon = limited(lone_daemon, requests_per_caller=3)
    with ExitStack() as at_end:
        first = at_end.enter_context(connect(daemon))
        rest = half(first)

        def one_more() -> Answer:
            # One that comes while this asks may be refused in its place: then the next one is held.
            half(at_end.enter_context(connect(daemon)))
            return daemon.http("GET", "/log?limit=1")

        refused = wait_until(lambda: (answer := one_more()).status == 429 and answer, "three are in flight", 10)
        assert int(refused.headers["retry-after"]) >= 1 and refused.json()["type"].endswith("too-many-requests")
        first.sendall(rest)
        assert first.recv(20).startswith(b"HTTP/1.1 201")
        assert daemon.http("GET", "/health").status == 200


def test_idle_connections_and_stalled_handshakes_end(lone_daemon: Daemon, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.sign("localhost")
    lone_daemon.env |= {"HORIZON_HTTP__TLS__CERTIFICATE": str(certificate), "HORIZON_HTTP__TLS__KEY__FILE": str(key)}
    daemon = limited(lone_daemon, idle_seconds=2, handshake_seconds=2)
    with connect(daemon) as silent, connect(daemon) as strange, connect(daemon) as plain:
        strange.sendall(b"GET /health HTTP/1.1\r\n\r\n")
        secured = authority.client().wrap_socket(plain, server_hostname="localhost")
        secured.sendall(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert secured.recv(65536).startswith(b"HTTP/1.1 200")
        assert ended(silent) == b""
        ended(strange)
        try:
            assert ended(secured) == b""
        except ssl.SSLError:
            pass  # without a goodbye
    assert request(daemon.addresses()["http"], "GET", "/health", tls=authority.client()).status == 200


def test_sigterm_answers_what_is_in_flight_and_waits_for_no_idler(daemon: Daemon) -> None:
    with connect(daemon) as idle, connect(daemon) as busy:
        idle.sendall(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert idle.recv(65536).startswith(b"HTTP/1.1 200")
        rest = half(busy)
        wait_until(lambda: listener(daemon)["connections"] >= 2, "both are there", 10)
        begun = time.monotonic()
        daemon.process.send(signal.SIGTERM)
        assert ended(idle) == b""
        busy.sendall(rest)
        assert ended(busy).startswith(b"HTTP/1.1 201"), "it was in flight, and is answered"
        assert daemon.process.wait(30) == 0
        assert time.monotonic() - begun < 15
