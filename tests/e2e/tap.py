"""A TCP relay that writes down every byte that a client sends: what left the daemon, whatever a broker made of it."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

from rig.ports import LOOPBACK

_BLOCK_BYTES = 65_536


class Tap:
    """Listens on a port of its own and passes everything on to a server."""

    def __init__(self, server_port: int, file: Path) -> None:
        self._server_port = server_port
        self._file = file.open("wb")
        self._lock = threading.Lock()
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Takes no more connections; what was written down is on the disk."""
        self._listener.close()
        with self._lock:
            self._file.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection((LOOPBACK, self._server_port), 10)
            except OSError:
                return
            for end in (client, server):
                end.settimeout(None)
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._pass, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self._pass, args=(server, client, False), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, write_down: bool) -> None:
        try:
            while block := source.recv(_BLOCK_BYTES):
                if write_down:
                    self._write(block)
                sink.sendall(block)
        except OSError:
            pass
        finally:
            for end in (source, sink):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def _write(self, block: bytes) -> None:
        with self._lock:
            if not self._file.closed:
                self._file.write(block)
