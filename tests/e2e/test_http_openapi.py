"""What the listeners say of themselves is sound and true: a validator and schemathesis, with all its checks, find nothing."""

from __future__ import annotations

import hashlib
import json
import os
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

LISTENERS = {"http": "private", "public": "public", "operator": "operator"}
TOKEN = "hzn_described-by-a-token-of-its-own-0123456789"
GRANTS = "append: ['*'], import: ['*'], read: ['*'], follow: ['*'], public: ['*'], operate: true"
DEFAULT_SEED = 1  # chance is for tests/long/openapi
EXAMPLES = int(os.environ.get("OPENAPI_EXAMPLES", "15"))


def started(folder: Path, access: str = "") -> Iterator[Daemon]:
    """A daemon that takes events of any type, with some of the bank's besides. Its brokers do not answer."""
    running = bank_daemon(folder, *free_ports(2))
    running.env |= {"HORIZON_EVENTS_WITHOUT_SCHEMA": "accept", "HORIZON_PUBLIC__LISTEN": "127.0.0.1:0"}
    if access:
        running.token = TOKEN
        running.config.write_text(running.config.read_text() + access)
    running.start()
    who = {"authorization": f"Bearer {TOKEN}"} if access else {}
    for account in ("1", "2"):
        assert running.http("POST", f"/streams/account-{account}", [deposit(account), card(account)], who).status == 201
    assert running.http("POST", "/streams/account-3", deposit("3", amount=0), who).status == 201
    yield running
    running.kill()


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One that asks nobody who they are."""
    yield from started(tmp_path_factory.mktemp("described"))


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One that asks for a token."""
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    access = f"\naccess: {{ principals: {{ all: {{ tokens: [ {{ sha256: {digest} }} ], grants: {{ {GRANTS} }} }} }} }}\n"
    yield from started(tmp_path_factory.mktemp("guarded"), access)


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


def test_who_is_asked_for_a_credential_is_told_so(daemon: Daemon, guarded: Daemon) -> None:
    for listener in LISTENERS:
        free, asked = (request(one.addresses()[listener], "GET", "/openapi.json").json() for one in (daemon, guarded))
        assert free.pop("security") == [{}, {"token": []}, {"certificate": []}]
        assert asked.pop("security") == [{"token": []}, {"certificate": []}] and asked == free
        for path in ("/health", "/openapi.json"):
            assert free["paths"][path]["get"]["security"] == []


def judge(daemon: Daemon, listener: str, folder: Path, token: str = "") -> None:
    """Schemathesis finds nothing, and the daemon is well afterwards."""
    seed = int(os.environ.get("OPENAPI_SEED", DEFAULT_SEED))
    print(f"OPENAPI_SEED={seed}")
    schemathesis(daemon.addresses()[listener], folder, seed, EXAMPLES, token)
    assert daemon.http("GET", "/health").status == 200 and daemon.process.running()


@pytest.mark.parametrize("listener", LISTENERS)
@pytest.mark.timeout(300 if EXAMPLES < 100 else 7200)
def test_schemathesis_finds_nothing(daemon: Daemon, listener: str, tmp_path: Path) -> None:
    judge(daemon, listener, tmp_path)


@pytest.mark.timeout(300 if EXAMPLES < 100 else 7200)
def test_schemathesis_finds_nothing_where_a_token_is_asked_for(guarded: Daemon, tmp_path: Path) -> None:
    judge(guarded, "http", tmp_path, TOKEN)
