"""Contracts that halt at an event of which no key can be made, and what lets them go on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from facts import Event, deposit
from oracle import ACCOUNTS
from parking import CONTRACT, change, reload
from rig.daemon import Daemon
from rig.waiting import wait_until
from told import at_contract, why, why_in_words


def keyless() -> Event:
    """An event that only the door for imports takes: it names no account."""
    made = deposit("1")
    del made["data"]["accountId"]
    return made


def bring(daemon: Daemon, tmp_path: Path, *events: Event) -> None:
    """Imports events, whatever their private schema says of them."""
    file = tmp_path / "events.jsonl"
    file.write_text("".join(json.dumps(one | {"stream": "account-1"}) + "\n" for one in events))
    done = daemon.run("import", file)
    assert done.returncode == 0, done.stderr


def standing(daemon: Daemon) -> dict[str, Any]:
    """How the contract stands."""
    return next(c for c in daemon.status()["contracts"] if c["contract"] == ACCOUNTS)


def position(daemon: Daemon, event: Event) -> int:
    """An event's place in the log."""
    return int(why(daemon, event["id"])["position"])


def wait_halted(daemon: Daemon, at: int) -> str:
    """Waits until the contract has halted at a position; what is told of it."""
    wait_until(lambda: f"at position {at} " in (standing(daemon)["halted"] or ""), f"halted at {at}", 20,
               state=lambda: standing(daemon))
    return str(standing(daemon)["halted"])


def wait_crossed(daemon: Daemon, count: int) -> None:
    """Waits until so many events have crossed, and nothing holds the contract up."""
    wait_until(lambda: (standing(daemon)["crossed"], standing(daemon)["halted"]) == (count, None), f"{count} crossed", 20,
               state=lambda: standing(daemon))


def test_an_event_without_a_key_halts_its_contract_until_it_is_skipped_and_that_outlasts_a_kill(
    daemon: Daemon, tmp_path: Path,
) -> None:
    before, first, between, second, last = deposit("1"), keyless(), deposit("1"), keyless(), deposit("1")
    bring(daemon, tmp_path, before, first, between, second, last)
    at = position(daemon, first)
    halted = wait_halted(daemon, at)
    assert "/accountId" in halted and "the key is missing" in halted and "`flagged: cross`" not in halted, halted
    assert "`when`" in halted and f"horizon skip {ACCOUNTS} --at {at} --reason" in halted, halted
    assert halted in daemon.run("status").stdout
    assert f"horizon skip {ACCOUNTS} --at {at} " in why_in_words(daemon, last["id"])
    health = daemon.operator("GET", "/health")
    assert health.status == 200 and health.body.startswith(b"ok\n") and ACCOUNTS.encode() in health.body
    of_private = daemon.http("GET", "/health").body
    assert b"halted" in of_private and ACCOUNTS.encode() not in of_private

    elsewhere = daemon.operator("POST", "/contracts/skip", {"contract": ACCOUNTS, "at": at + 1, "reason": "no"})
    assert elsewhere.status == 409 and elsewhere.json()["type"].endswith(":not-halted") and str(at) in elsewhere.json()["detail"]
    other = daemon.operator("POST", "/contracts/skip", {"contract": "bank.lending.v1", "at": at, "reason": "no"})
    assert other.status == 409 and "has not halted" in other.json()["detail"] and other.json()["mend"]
    unknown = daemon.operator("POST", "/contracts/skip", {"contract": "bank.none.v1", "at": at, "reason": "no"})
    assert unknown.status == 404
    blank = daemon.operator("POST", "/contracts/skip", {"contract": ACCOUNTS, "at": at, "reason": " "})
    assert blank.status == 400 and blank.json()["pointer"] == "/reason"
    assert standing(daemon)["halted"] == halted, "nothing of that was done"

    skipped = daemon.run("skip", ACCOUNTS, "--at", str(at), "--reason", "names no account, ticket 12")
    assert skipped.returncode == 0 and str(at) in skipped.stdout, skipped.stderr
    wait_halted(daemon, position(daemon, second))
    assert standing(daemon)["crossed"] == 2 and standing(daemon)["violated"] == 1
    again = daemon.run("skip", ACCOUNTS, "--at", str(at), "--reason", "twice")
    assert again.returncode != 0 and str(position(daemon, second)) in again.stderr

    daemon.kill()
    daemon.start()
    wait_halted(daemon, position(daemon, second))
    told = at_contract(why(daemon, first["id"]), ACCOUNTS)
    assert (told["outcome"], told["reason"]) == ("skipped", "names no account, ticket 12") and told["unparked"]
    assert "skipped: names no account" in why_in_words(daemon, first["id"])
    assert daemon.run("skip", ACCOUNTS, "--at", str(position(daemon, second)), "--reason", "the same").returncode == 0
    wait_crossed(daemon, 3)
    assert daemon.operator("GET", "/health").body == b"ok\n"
    assert at_contract(why(daemon, second["id"]), ACCOUNTS)["outcome"] == "skipped"


def test_a_contract_that_leaves_such_events_out_goes_on_after_a_reload(daemon: Daemon, tmp_path: Path) -> None:
    without, after = keyless(), deposit("1")
    bring(daemon, tmp_path, without, after)
    wait_halted(daemon, position(daemon, without))
    change(daemon, CONTRACT, "{ event: CashDeposited, ", "{ event: CashDeposited, when: .accountId != null, ")
    reload(daemon)
    wait_crossed(daemon, 1)
    assert at_contract(why(daemon, without["id"]), ACCOUNTS)["outcome"] == "filtered"
