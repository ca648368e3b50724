"""Events that do not fit their private schema: what each door does with them, and what is seen of them afterwards."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from rig.daemon import Daemon


def deposit(number: int, **changed: object) -> dict[str, object]:
    """A deposit into an account of its own; what is changed need not fit."""
    data = {"transactionId": str(number), "accountId": str(number), "amount": 1.5, "currency": "CZK", "balance": 1.5}
    return {"id": f"d-{number}", "type": "CashDeposited", "data": data | changed}


def lines(folder: Path, events: list[dict[str, object]]) -> Path:
    """The events as a file of JSON lines, each in a stream of its own."""
    path = folder / "lines.jsonl"
    path.write_text("".join(json.dumps({"stream": f"account-{event['id']}", **event}) + "\n" for event in events))
    return path


def marks(daemon: Daemon, *numbers: int) -> list[bool | None]:
    """Whether each deposit is flagged; none if it is not there."""
    read = [daemon.http("GET", f"/streams/account-d-{number}") for number in numbers]
    return [answer.json()["events"][0].get("flagged", False) if answer.status == 200 else None for answer in read]


def test_http_refuses_what_import_flags(daemon: Daemon, tmp_path: Path) -> None:
    unfit = deposit(2, amount=-1)
    assert daemon.http("POST", "/streams/account-d-2", unfit).status == 422
    done = daemon.run("import", lines(tmp_path, [deposit(1), unfit, deposit(3, currency="crowns", balance=None)]))
    assert done.returncode == 0, done.stderr
    assert "3 events appended, 2 of them flagged, 0 were stored already" in done.stdout
    assert "line 2 is the first that was flagged: /data/amount must be at least 0" in done.stdout
    assert marks(daemon, 1, 2, 3) == [False, True, True]
    log = daemon.log.read_text()
    assert "flagged" in log and unfit["id"] in log and "must be at least 0" not in log
    assert daemon.status()["log"]["flaggedSinceStart"] == 2
    assert "2 events flagged since the daemon was started" in daemon.run("status").stdout
    again = daemon.run("import", tmp_path / "lines.jsonl")
    assert "0 events appended, 0 of them flagged, 3 were stored already" in again.stdout


def test_why_tells_that_an_event_is_flagged_and_what_is_said_against_it(daemon: Daemon, tmp_path: Path) -> None:
    assert daemon.run("import", lines(tmp_path, [deposit(1), deposit(2, amount=-1)])).returncode == 0
    why = daemon.run("why", "d-2").stdout
    assert "flagged: it does not fit its private schema" in why and "at /amount: must be at least 0" in why
    assert "flagged" not in daemon.run("why", "d-1").stdout
    # After the schema was mended nothing speaks against it; the mark stays.
    schema = daemon.folder / "schemas/private/account/CashDeposited.json"
    schema.write_text(schema.read_text().replace('"minimum": 0', '"minimum": -5'))
    daemon.stop()
    daemon.start()
    assert "nothing speaks against it now" in daemon.run("why", "d-2").stdout
    assert marks(daemon, 2) == [True]


@pytest.mark.parametrize(("setting", "http", "by_import"), [
    ("{ http: flag, import: reject }", True, None),
    ("{ http: off, import: off }", False, False),
    ("{ import: flag }", None, True),
])
def test_the_configuration_sets_each_door(lone_daemon: Daemon, tmp_path: Path, setting: str, http: bool | None,
                                          by_import: bool | None) -> None:
    with lone_daemon.config.open("a") as config:
        config.write(f"\nprivate_schemas: {setting}\n")
    lone_daemon.start()
    lone_daemon.http("POST", "/streams/account-d-1", deposit(1, amount=-1))
    lone_daemon.run("import", lines(tmp_path, [deposit(2, amount=-1)]))
    assert marks(lone_daemon, 1, 2) == [http, by_import]


def test_a_schema_sets_the_doors_of_its_own_type_and_earlier_revisions_are_taken(lone_daemon: Daemon, tmp_path: Path) -> None:
    newest = lone_daemon.folder / "schemas/private/account/CashDeposited.json"
    schema = json.loads(newest.read_text())
    (newest.parent / "CashDeposited").mkdir()
    (newest.parent / "CashDeposited/1.json").write_text(json.dumps(schema))
    schema["required"].append("counter")
    schema["properties"]["counter"] = {"type": "string"}
    schema["x-doors"] = {"http": "flag"}
    newest.write_text(json.dumps(schema))
    lone_daemon.start()
    assert lone_daemon.http("POST", "/streams/account-d-1", deposit(1)).json()["flagged"] == 1
    assert lone_daemon.run("import", lines(tmp_path, [deposit(2), deposit(3, counter="7"), deposit(4, counter=7)])).returncode == 0
    assert marks(lone_daemon, 1, 2, 3, 4) == [True, False, False, True]


def test_a_door_that_is_none_is_refused_with_the_known_ones(daemon: Daemon) -> None:
    commit = {"events": [{"stream": "account-d-1", **deposit(1, amount=-1)}]}
    for query in ("door=windows", "doors=http", "door="):
        refused = daemon.http("POST", f"/commits?{query}", commit)
        assert refused.status == 400 and refused.json()["type"] == "urn:horizon:problem:malformed-query"
        assert "http, import" in refused.json()["mend"]
    assert daemon.http("POST", "/commits?door=http", commit).status == 422
    taken = daemon.http("POST", "/commits?door=import", commit)
    assert taken.status == 201 and taken.json()["flagged"] == 1
    assert taken.json()["firstFlagged"] == {
        "event": 0, "errors": [{"pointer": "/data/amount", "reason": "must be at least 0"}]}
    repeat = daemon.http("POST", "/commits?door=import", commit)
    assert repeat.status == 200 and repeat.json()["repeat"] and "flagged" not in repeat.json()
    assert marks(daemon, 1) == [True]


def test_the_mark_survives_export_and_restore(daemon: Daemon, tmp_path: Path) -> None:
    assert daemon.run("import", lines(tmp_path, [deposit(1), deposit(2, amount=-1)])).returncode == 0
    export = tmp_path / "export.jsonl"
    assert daemon.run("export", export).returncode == 0
    assert [json.loads(line).get("flagged") for line in export.read_text().splitlines()
            if '"kind":"event"' in line] == [None, True]
    daemon.stop()
    data = daemon.folder / "data"
    data.rename(tmp_path / "old")
    restored = subprocess.run([daemon.binary, "restore", "--export", export, data], text=True, capture_output=True, check=False)
    assert restored.returncode == 0, restored.stderr
    daemon.start()
    assert marks(daemon, 1, 2) == [False, True]
