"""Bad input of any kind gets a clear error, stores nothing, and stops nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from facts import deposit, event
from rack import bank_daemon
from rig.daemon import Answer, Daemon
from rig.ports import free_ports

PROBLEM = "application/problem+json"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One daemon for all of these: none of them may harm it. Its brokers do not answer."""
    running = bank_daemon(tmp_path_factory.mktemp("bad-input"), *free_ports(2))
    running.env["HORIZON_HTTP__BODY_LIMIT_BYTES"] = "100000"
    running.start()
    yield running
    running.kill()


@pytest.fixture(autouse=True)
def nothing_is_stored_or_stopped(daemon: Daemon) -> Iterator[None]:
    """Holds for each test here: the log did not grow by it, and a sound event is taken afterwards."""
    before = daemon.status()["log"]["events"]
    yield
    assert daemon.status()["log"]["events"] == before
    assert daemon.http("POST", "/streams/account-good", deposit("good")).status == 201


def refused(answer: Answer, status: int, *words: str) -> dict[str, Any]:
    """Insists on a problem document with this status, and that each of the words is in it."""
    text = answer.body.decode()
    assert answer.status == status, text
    assert answer.headers["content-type"] == PROBLEM
    problem = answer.json()
    assert problem["status"] == status and problem["title"] and problem["type"]
    for word in words:
        assert word in text, f"{word!r} is not in {text}"
    return problem


@pytest.mark.parametrize("body", [
    b"", b"{", b"nonsense", b'{"id": "a", "type": "b", "data": {}', b"\xff\xfe", b'{"id": "a"} {"id": "b"}', b"[1]", b"7",
    b'{"id": "a", "id": "b", "type": "CashDeposited", "data": {}}', b"[" * 50_000, b'{"data":' * 8_000,
])
def test_json_that_is_none_is_refused(daemon: Daemon, body: bytes) -> None:
    refused(daemon.http("POST", "/streams/account-1", body), 400)


def test_no_events_at_all_are_refused(daemon: Daemon) -> None:
    refused(daemon.http("POST", "/streams/account-1", []), 400, "no events")


@pytest.mark.parametrize("member", ["id", "type", "data"])
def test_an_event_that_lacks_a_part_is_refused_with_the_parts_name(daemon: Daemon, member: str) -> None:
    bad = deposit("1")
    del bad[member]
    refused(daemon.http("POST", "/streams/account-1", bad), 400, f"/{member}", "missing")


@pytest.mark.parametrize(("member", "value"), [
    ("id", ""), ("id", 7), ("id", "a\u0000b"), ("type", None), ("time", "yesterday"), ("Upper", "x"), ("extra", 1.5),
    ("extra", {"a": 1}), ("datacontenttype", "text"), ("specversion", "0.3"),
])
def test_an_attribute_that_cloudevents_does_not_allow_is_refused(daemon: Daemon, member: str, value: object) -> None:
    refused(daemon.http("POST", "/streams/account-1", deposit("1") | {member: value}), 400, f"/{member}")


def test_one_bad_event_refuses_the_whole_array(daemon: Daemon) -> None:
    problem = refused(daemon.http("POST", "/streams/account-1", [deposit("1"), {"id": "x"}, deposit("1")]), 400)
    assert problem["event"] == 1


@pytest.mark.parametrize("name", ["account-\x01", "account-1\n", "account-\x7f", "account-\u0085", "a" * 256, "é" * 128])
def test_a_stream_name_with_control_characters_or_over_255_bytes_is_refused(daemon: Daemon, name: str) -> None:
    refused(daemon.http("POST", f"/streams/{quote(name, safe='')}", deposit("1")), 400)
    body = {"streams": [{"stream": name, "events": [deposit("1")]}]}
    assert daemon.http("POST", "/commits", body).status == 400


def test_a_stream_name_that_is_no_utf8_is_refused(daemon: Daemon) -> None:
    refused(daemon.http("POST", "/streams/account-%FF", deposit("1")), 400)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_refused(daemon: Daemon, chunked: bool) -> None:
    big = deposit("1") | {"data": {"filler": "x" * 100_000}}
    body = json.dumps(big).encode()
    if chunked:
        body = f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
        headers = {"transfer-encoding": "chunked"}
    else:
        headers = {}
    refused(daemon.http("POST", "/streams/account-1", body, headers), 413, "100000")


def test_a_refusal_by_the_private_schema_says_where_and_why(daemon: Daemon) -> None:
    bad = deposit("1")
    bad["data"] |= {"amount": "a lot", "colour": "red"}
    problem = refused(daemon.http("POST", "/streams/account-1", bad), 422, "/data/amount", "number", "colour")
    assert {"event": 0, "pointer": "/data/amount"}.items() <= problem["errors"][0].items() or len(problem["errors"]) > 1
    assert problem["mend"]


def test_an_event_type_without_a_private_schema_is_refused_with_the_file_that_would_mend_it(daemon: Daemon) -> None:
    answer = daemon.http("POST", "/streams/account-1", event("CashDepositted", {}))
    refused(answer, 422, "private/account/CashDepositted.json")


def test_a_wrong_expected_revision_is_refused_with_the_actual_one(daemon: Daemon) -> None:
    stream = "/streams/account-good"
    daemon_at = daemon.http("GET", stream).json()["revision"]
    stale = f'"0-{daemon_at + 5}"'
    problem = refused(daemon.http("POST", stream, deposit("good"), {"If-Match": stale}), 412)
    assert problem["actual"] == daemon_at
    problem = refused(daemon.http("POST", stream, deposit("good"), {"If-None-Match": "*"}), 412)
    assert problem["actual"] == daemon_at
    problem = refused(daemon.http("POST", "/streams/account-none", deposit("none"), {"If-Match": "*"}), 412)
    assert problem["actual"] == 0
    body = {"expectedRevision": daemon_at + 5, "events": [deposit("good")]}
    problem = refused(daemon.http("POST", stream, body), 409)
    assert problem["actual"] == daemon_at


def test_an_expected_revision_that_is_none_is_refused(daemon: Daemon) -> None:
    for wrong in ["latest", -1, 1.5, {}]:
        body = {"expectedRevision": wrong, "events": [deposit("good")]}
        refused(daemon.http("POST", "/streams/account-good", body), 400)
    refused(daemon.http("POST", "/streams/account-good", deposit("good"), {"If-Match": "yes"}), 400)


def test_an_unknown_member_beside_events_is_refused(daemon: Daemon) -> None:
    refused(daemon.http("POST", "/streams/account-1", {"expectedVersion": 1, "events": [deposit("1")]}), 400)


def test_an_id_that_names_another_event_already_is_refused(daemon: Daemon) -> None:
    stored = daemon.http("GET", "/streams/account-good").json()["events"][0]["event"]
    other = deposit("good", 99.5) | {"id": stored["id"]}
    refused(daemon.http("POST", "/streams/account-good", other), 409, "different")


def test_an_unknown_place_and_a_wrong_method_are_told(daemon: Daemon) -> None:
    refused(daemon.http("GET", "/nothing-here"), 404)
    refused(daemon.http("DELETE", "/streams/account-good"), 405)
    refused(daemon.http("GET", "/streams/account-unknown"), 404)


def test_a_bad_line_in_a_file_is_told_with_its_number(daemon: Daemon, tmp_path: Path) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text('{"stream":"account-1","id":"b1","type":"CashDeposited"}\n')
    done = daemon.run("import", file)
    assert done.returncode == 1 and "line 1" in done.stderr and "/data" in done.stderr
    assert daemon.run("import", tmp_path / "absent.jsonl").returncode == 2
