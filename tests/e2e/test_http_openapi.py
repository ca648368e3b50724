"""What the listeners say of themselves is sound and true: a validator and schemathesis, with all its checks, find nothing."""

from __future__ import annotations

import json
import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from described import schemathesis
from facts import card, deposit
from openapi_spec_validator import OpenAPIV31SpecValidator
from places import BINARY
from rack import bank_daemon
from rig.daemon import Daemon, request
from rig.ports import free_ports

LISTENERS = {"http": "private", "operator": "operator"}
EXAMPLES = int(os.environ.get("OPENAPI_EXAMPLES", "15"))


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon that takes events of any type, with some of the bank's besides. Its brokers do not answer."""
    running = bank_daemon(tmp_path_factory.mktemp("described"), *free_ports(2))
    running.env["HORIZON_EVENTS_WITHOUT_SCHEMA"] = "accept"
    running.start()
    for account in ("1", "2"):
        assert running.http("POST", f"/streams/account-{account}", [deposit(account), card(account)]).status == 201
    assert running.http("POST", "/streams/account-3", deposit("3", amount=0)).status == 201
    yield running
    running.kill()


@pytest.mark.parametrize("listener", LISTENERS)
def test_a_validator_finds_nothing(daemon: Daemon, listener: str) -> None:
    document = request(daemon.addresses()[listener], "GET", "/openapi.json")
    assert document.status == 200 and document.headers["content-type"] == "application/json"
    assert document.json()["openapi"].startswith("3.1.")
    assert list(OpenAPIV31SpecValidator(document.json()).iter_errors()) == []


@pytest.mark.parametrize(("listener", "name"), LISTENERS.items())
def test_the_command_prints_what_is_served(daemon: Daemon, listener: str, name: str) -> None:
    printed = subprocess.run([BINARY, "openapi", name], capture_output=True, check=True, timeout=30)
    assert json.loads(printed.stdout) == request(daemon.addresses()[listener], "GET", "/openapi.json").json()


@pytest.mark.parametrize("listener", LISTENERS)
@pytest.mark.timeout(300 if EXAMPLES < 100 else 7200)
def test_schemathesis_finds_nothing(daemon: Daemon, listener: str, tmp_path: Path) -> None:
    seed = int(os.environ.get("OPENAPI_SEED", random.randrange(1 << 32)))
    print(f"OPENAPI_SEED={seed}")
    schemathesis(daemon.addresses()[listener], tmp_path, seed, EXAMPLES)
    assert daemon.http("GET", "/health").status == 200 and daemon.process.running()
