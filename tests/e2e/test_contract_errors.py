"""Whatever is wrong in a contract is told with file, line, column, snippet, the nearest known word and a mend, and nothing starts."""

from __future__ import annotations

import re
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from rig.daemon import Daemon

CONTRACT = "bank.accounts.v1.yaml"
MEND = 2


@dataclass(frozen=True)
class Mistake:
    """A change to the contract, and what the error must say of it."""

    old: str
    new: str
    at: str
    says: tuple[str, ...]


MISTAKES = {
    "an unknown key": Mistake("key: .accountId", "kee: .accountId", "kee", ("kee", "key")),
    "an unknown key inside": Mistake("event: AccountOpened", "evnt: AccountOpened", "evnt", ("evnt", "event")),
    "a bad expression": Mistake("when: .amount >= 1", "when: .amount >= ", ".amount >= ", (".amount",)),
    "an expression that may not be": Mistake("when: .amount >= 1", "when: 'input > 1'", "input", ("input",)),
    "a field that no private schema declares": Mistake(
        "openedOn: .openedOn }", "openedOn: .opendOn }", ".opendOn", (".opendOn", "openedOn")),
    "an unknown schema": Mistake(
        "opened.v1.json", "opend.v1.json", "opend.v1.json", ("opend.v1.json", "opened.v1.json")),
    "an unknown broker": Mistake("broker: main", "broker: mian", "mian", ("mian", "main")),
    "a broker of the other kind": Mistake("broker: main", "broker: rabbit", "rabbit", ("rabbit", "main")),
    "an unknown private event": Mistake(
        "event: CashDeposited", "event: CashDeposted", "CashDeposted", ("CashDeposted", "CashDeposited")),
    "YAML that is none": Mistake("streams: { category: account }", "streams: { category: account", "", ()),
}


def spoil(daemon: Daemon, mistake: Mistake) -> tuple[Path, int, int]:
    """Makes the change; returns the file, and line and column of the mistake."""
    path = daemon.folder / "contracts" / CONTRACT
    text = path.read_text()
    assert mistake.old in text
    changed = text.replace(mistake.old, mistake.new, 1)
    path.write_text(changed)
    at = changed.index(mistake.at, changed.index(mistake.new)) if mistake.at else changed.index(mistake.new)
    line = changed.count("\n", 0, at) + 1
    return path, line, at - changed.rfind("\n", 0, at)


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_in_a_contract_is_told_so_that_it_can_be_mended(lone_daemon: Daemon, name: str) -> None:
    mistake = MISTAKES[name]
    path, line, column = spoil(lone_daemon, mistake)
    done = lone_daemon.run("check")
    assert done.returncode == MEND
    places = [int(found[1]) for found in re.finditer(rf"{re.escape(path.name)}:(\d+):(\d+)", done.stderr)]
    assert places, f"no file, line and column in:\n{done.stderr}"
    if mistake.at:
        assert line in places, f"line {line}, column {column} expected in:\n{done.stderr}"
        assert path.read_text().splitlines()[line - 1].strip() in done.stderr, "the snippet is shown"
    for word in mistake.says:
        assert word in done.stderr, f"{word!r} is not in:\n{done.stderr}"
    assert re.search(r"help|mend", done.stderr), done.stderr


def test_all_mistakes_are_told_at_once(lone_daemon: Daemon) -> None:
    for name in ("an unknown schema", "an unknown broker"):
        spoil(lone_daemon, MISTAKES[name])
    stderr = lone_daemon.run("check").stderr
    assert "opend.v1.json" in stderr and "mian" in stderr


def test_a_contract_may_not_name_personal_data(lone_daemon: Daemon) -> None:
    (lone_daemon.folder / "contracts" / "bank.clients.v1.yaml").write_text(
        "horizon: 1\ncontract: bank.clients\nversion: 1.0.0\ndescription: Must not be.\n"
        "source: //bank.example/clients/v1\nstreams: { category: client }\nkey: .clientId\n"
        "types:\n  example.bank.client.registered.v1:\n    name: opened\n    schema: public/bank.accounts/opened.v1.json\n"
        "    from:\n      - event: ClientRegistered\n        data: { accountId: .clientId, openedOn: .bornOn }\n"
        "outlets:\n  - mqtt: { broker: main, topic: \"bank/clients/v1/{key}/{name}\", qos: 1 }\n")
    done = lone_daemon.run("check")
    assert done.returncode == MEND
    assert "bank.clients.v1.yaml:14:" in done.stderr and "bornOn" in done.stderr and "personal" in done.stderr


def test_contracts_are_checked_before_a_port_is_bound(lone_daemon: Daemon) -> None:
    spoil(lone_daemon, MISTAKES["an unknown broker"])
    with socket.create_server(("127.0.0.1", 0)) as taken:
        # Whoever tried to bind this port would fail with another error than the contract's.
        port = taken.getsockname()[1]
        done = lone_daemon.run("serve", "--listen", f"127.0.0.1:{port}", "--operator-listen", f"127.0.0.1:{port}")
    assert done.returncode == MEND
    assert "mian" in done.stderr and "in use" not in done.stderr
    assert not (lone_daemon.folder / "data" / "addresses.json").exists()


def test_the_example_is_sound(lone_daemon: Daemon) -> None:
    done: subprocess.CompletedProcess[str] = lone_daemon.run("check")
    assert done.returncode == 0, done.stderr


def test_bindings_are_refused_where_nothing_can_check_them(lone_daemon: Daemon) -> None:
    path = lone_daemon.folder / "contracts" / CONTRACT
    text = path.read_text()
    place = "  - amqp: { broker: rabbit,"
    assert place in text
    bindings = "bindings: [{ queue: budgets, routing_key: '#' }]"
    path.write_text(text.replace(place, f"{place} {bindings},"))
    for command in ("check", "serve"):
        done = lone_daemon.run(command)
        assert done.returncode == MEND, done.stderr
        assert "bank.accounts.v1" in done.stderr and "amqp:rabbit" in done.stderr, done.stderr
        assert "management: http://" in done.stderr, done.stderr
