"""Fixtures. Brokers are shared by tests that leave them alone; tests that harm a broker start their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from guarding import guard
from jsonschema import Draft202012Validator
from judges import public_schemas
from places import BANK_EVENTS, BINARY, GENERATED_EVENTS, PUBLIC_SCHEMAS, bank_events, generated_events
from rack import Brokers, Rack, bank_daemon, brokers_in, rack_on
from rig.daemon import Daemon
from rig.ports import free_ports


def pytest_configure() -> None:
    """Fails at once, and once, where there is nothing to test."""
    if not BINARY.exists():
        pytest.exit(f"{BINARY} is not built: cargo build --release -p horizon-bridge", returncode=2)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says which events were used."""
    if not BANK_EVENTS.exists():
        terminalreporter.write_line(
            f"NOTE: {BANK_EVENTS} is not there; {GENERATED_EVENTS:,} made-up events stood in for the bank's real ones.")


@pytest.fixture(scope="session")
def schemas() -> dict[str, Draft202012Validator]:
    """The example's public schemas, by `$id`."""
    return public_schemas(PUBLIC_SCHEMAS)


@pytest.fixture(scope="session")
def real_events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bank's events."""
    return bank_events(tmp_path_factory.mktemp("events"))


@pytest.fixture(scope="session")
def some_events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2,000 made-up events, for tests that need a few."""
    return generated_events(tmp_path_factory.mktemp("few"), 2_000)


@pytest.fixture(scope="session")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Brokers]:
    """Brokers that no test may harm."""
    with brokers_in(tmp_path_factory.mktemp("brokers")) as running:
        yield running


@pytest.fixture(scope="module")
def own_brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Brokers]:
    """Brokers that the tests of one file may harm, if each mends what it did. Mosquitto keeps its messages over a stop."""
    with brokers_in(tmp_path_factory.mktemp("own-brokers"), persistence=True) as running:
        yield running


@pytest.fixture
def rack(tmp_path: Path, brokers: Brokers) -> Iterator[Rack]:
    """A running daemon with both brokers and both consumers."""
    with rack_on(tmp_path, brokers) as running:
        yield running


@pytest.fixture
def lone_daemon(tmp_path: Path) -> Iterator[Daemon]:
    """A daemon, not started yet, whose brokers do not answer: what has nothing to do with them must work all the same."""
    daemon = bank_daemon(tmp_path, *free_ports(2))
    yield daemon
    daemon.kill()


@pytest.fixture
def daemon(lone_daemon: Daemon) -> Daemon:
    """A running daemon whose brokers do not answer."""
    lone_daemon.start()
    return lone_daemon


@pytest.fixture
def guarded(lone_daemon: Daemon) -> Daemon:
    """A daemon, not started yet, that asks who somebody is."""
    return guard(lone_daemon)
