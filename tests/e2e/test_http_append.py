"""CloudEvents are taken in each mode, from clients that others wrote, and come back as they were sent; what is none is refused."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from appending import BATCH, CASES, STRUCTURED, TYPED, Case, Stored, append, problem, stored
from cloudevents.core.bindings.http import HTTPMessage, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent
from facts import deposit
from places import NODE_MODULES, TARGET
from rack import bank_daemon
from rig.daemon import Answer, Daemon
from rig.ports import free_ports

SENDERS = {"npm": ["node", Path(__file__).with_name("append_cloudevents.cjs"), NODE_MODULES],
           "Rust": [TARGET / "release" / "append-cloudevents"]}


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon that takes events of any type; `strict` streams are not appended to without an expectation."""
    running = bank_daemon(tmp_path_factory.mktemp("append"), *free_ports(2))
    running.env["HORIZON_EVENTS_WITHOUT_SCHEMA"] = "accept"
    with running.config.open("a") as config:
        config.write("\ncategories: { strict: { expected_revision: required }, account: { expected_revision: optional } }\n")
    running.start()
    yield running
    running.kill()


@pytest.fixture
def stream(request: pytest.FixtureRequest) -> str:
    """A stream of the test's own."""
    return f"thing-{crc32(request.node.name.encode())}"


# Plain JSON is data, so that an event without any has three modes.
@pytest.mark.parametrize(("mode", "case"), [
    pytest.param(mode, case, id=f"{mode}-{case.name}")
    for mode in ["binary", "structured", "batched", "plain"] for case in CASES if mode != "plain" or case.data is not None])
def test_what_is_appended_comes_back_to_the_byte(daemon: Daemon, stream: str, case: Case, mode: str, tmp_path: Path) -> None:
    headers, body = case.binary(stream)
    if mode != "binary":
        body = case.plain(stream) if mode == "plain" else case.structured(stream)
        headers = {"content-type": {"plain": "application/json", "structured": STRUCTURED, "batched": BATCH}[mode]}
    if mode == "batched":
        body = b"[" + body + b"]"
    assert curl(daemon, stream, headers, body, tmp_path) == 201
    assert stored(daemon, stream) == [Stored(case.due(stream), case.data)]
    assert curl(daemon, stream, headers, body, tmp_path) == 200, "the same again is a repeat"


def curl(daemon: Daemon, stream: str, headers: dict[str, str], body: bytes, folder: Path) -> int:
    """The status of an append by curl, with exactly these headers and bytes."""
    (folder / "body").write_bytes(body)
    given = [part for name, value in ({"content-type": ""} | headers).items() for part in ("-H", f"{name}: {value}" if value else f"{name}:")]
    done = subprocess.run(
        ["curl", "-sS", "-X", "POST", *given, "--data-binary", f"@{folder / 'body'}", "-o", folder / "answer", "-w", "%{http_code}",
         f"http://{daemon.addresses()['http']}/streams/{stream}"], capture_output=True, text=True, check=True, timeout=30)
    return int(done.stdout)


@pytest.mark.parametrize("mode", ["structured", "batched", "plain"])
def test_attributes_keep_their_types_in_json(daemon: Daemon, stream: str, mode: str) -> None:
    case = Case("typed", b"1", None, TYPED)
    body = case.plain(stream) if mode == "plain" else case.structured(stream)
    body = b"[" + body + b"]" if mode == "batched" else body
    media_type = {"plain": "application/json", "structured": STRUCTURED, "batched": BATCH}[mode]
    assert append(daemon, stream, body, media_type).status == 201
    [event] = stored(daemon, stream)
    assert {name: event.attributes[name] for name in TYPED} == TYPED
    assert [type(event.attributes[name]) for name in TYPED] == [bool, bool, int, str]


def test_in_headers_every_attribute_is_text(daemon: Daemon, stream: str) -> None:
    headers, body = Case("typed", b"1", None, {"count": 5, "flag": "true"}).binary(stream)
    assert append(daemon, stream, body, headers=headers).status == 201
    [event] = stored(daemon, stream)
    assert event.attributes["count"] == "5" and event.attributes["flag"] == "true"


def test_a_batch_is_taken_whole_or_not_at_all(daemon: Daemon, stream: str) -> None:
    events = [json.loads(Case("", b"1").structured(f"{stream}-{n}")) for n in range(3)]
    told = problem(append(daemon, stream, json.dumps([*events, {"id": "3"}]).encode(), BATCH), 400, "malformed-event")
    assert told["event"] == 3 and {one["pointer"] for one in told["errors"]} == {"/type", "/source", "/specversion"}
    assert daemon.http("GET", f"/streams/{stream}").status == 404
    assert append(daemon, stream, json.dumps(events).encode(), BATCH).json()["revision"] == 3


# Clients that others wrote.

@pytest.mark.parametrize("client", SENDERS)
@pytest.mark.parametrize("mode", ["binary", "structured", "batched"])
def test_events_of_other_peoples_clients_come_back(daemon: Daemon, client: str, mode: str, tmp_path: Path) -> None:
    """A client tells what it sent; of that, what the writer meant must be stored."""
    cases = [{"id": f"{client}-{mode}-{n}", "stream": f"sent-{client}-{mode}-{n}", "attributes": {"source": "/things", "type": "ThingSeen", **attributes},
              "data": data} for n, (attributes, data) in enumerate(MEANT)]
    lines = "".join(json.dumps(case) + "\n" for case in cases)
    done = subprocess.run([*SENDERS[client], f"http://{daemon.addresses()['http']}", mode], input=lines, text=True,
                          capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["status"] for answer in answers] == [201] * len(cases), done.stdout
    for case in cases:
        [event] = stored(daemon, case["stream"])
        check_meant(event, case["id"], case["attributes"], case["data"], mode)


# Attributes and data of what the clients of others send: values that all of them can hold.
MEANT: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"datacontenttype": "application/json"}, {"json": {"a": [1, None, "ü"], "b": {"c": True}}}),
    ({"datacontenttype": "application/json", "subject": "a b%41", "time": "2026-01-31T12:00:00Z", "stream": "mine"}, {"json": "text"}),
    ({"datacontenttype": "application/vnd.thing+json"}, {"json": {"a": 1}}),
    ({"datacontenttype": "text/xml"}, {"text": "<a>ü</a>"}),
    ({"datacontenttype": "application/octet-stream"}, {"bytes": "AAEC/w=="}),
    ({"dataschema": "https://things.example/seen.json", "datacontenttype": "application/json"}, {"json": [0]}),
]


def check_meant(event: Stored, event_id: str, attributes: dict[str, Any], data: dict[str, Any], mode: str) -> None:
    """The stored event is the one that was meant."""
    due = {"id": event_id} | attributes
    told = dict(event.attributes)
    if "time" in due:
        assert datetime.fromisoformat(told.pop("time")) == datetime.fromisoformat(due.pop("time"))
    # npm's emitter fills in a time.
    told.pop("time", None)
    if mode == "binary" and "subject" in due and told["subject"] != due["subject"]:
        # Clients that do not percent-encode: what they send means another text.
        assert told.pop("subject") == "a bA" and due.pop("subject")
    assert told == due
    assert event.data is not None
    if "json" in data:
        assert json.loads(event.data) == data["json"]
    elif "text" in data:
        assert event.data == data["text"].encode()
    else:
        assert event.data == bytes([0, 1, 2, 255])


# Its times are no texts, and its numbers are doubles.
NOT_IN_PYTHON = ("times as they were written", "numbers beyond a double's precision")


@pytest.mark.parametrize("write", [to_binary_event, to_structured_event], ids=["binary", "structured"])
@pytest.mark.parametrize("case", [case for case in CASES if case.name not in NOT_IN_PYTHON], ids=lambda case: case.name)
def test_events_of_pythons_cloudevents_come_back(daemon: Daemon, stream: str, case: Case, write: Callable[[CloudEvent], HTTPMessage]) -> None:
    data: Any = case.data
    if case.is_json and data is not None:
        data = json.loads(data)
    event = CloudEvent({"specversion": "1.0", **case.due(stream)}, data)
    message = write(event)
    answer = append(daemon, stream, message.body, headers=dict(message.headers))
    assert answer.status == 201, answer.body
    [event_back] = stored(daemon, stream)
    assert event_back.attributes == case.due(stream) | {"time": event_back.attributes["time"]}, "the library fills in a time"
    if write is to_binary_event:
        # A text without a media type goes out as it is, and not as JSON: it comes back as the bytes that it was.
        assert event_back.data == (message.body or (None if case.is_json else case.data))
    elif case.is_json and case.data:
        assert event_back.data is None if data is None else json.loads(event_back.data or b"") == data
    else:
        assert event_back.data == case.data


# What is refused.

BINARY = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "T"}


@pytest.mark.parametrize("name", ["specversion", "id", "source", "type"])
def test_a_cloudevent_that_lacks_a_part_is_refused(daemon: Daemon, name: str) -> None:
    left = {header: value for header, value in BINARY.items() if header != f"ce-{name}"}
    problem(append(daemon, "thing-0", b"", headers=left), 400, "malformed-event", f"/{name}", "missing")
    members = {header[3:]: value for header, value in left.items()}
    problem(append(daemon, "thing-0", json.dumps(members).encode(), STRUCTURED), 400, "malformed-event", f"/{name}", "missing")


@pytest.mark.parametrize(("more", "pointer"), [
    ({"ce-specversion": "0.3"}, "/specversion"), ({"ce-specversion": "2.0"}, "/specversion"), ({"ce-my-name": "x"}, "/my-name"),
    ({"ce-my_name": "x"}, "/my_name"), ({"ce-subject": ""}, "/subject"), ({"ce-id": ""}, "/id"), ({"ce-x": "%00"}, "/x"),
    ({"ce-x": "%ff"}, "/x"), ({"ce-data": "x"}, "/data"), ({"ce-time": "now"}, "/time"), ({"ce-datacontenttype": "a/b"}, "/datacontenttype"),
    ({"content-type": "nonsense"}, "/datacontenttype"), ({f"ce-{'n' * 65}": "x"}, "/nnn"), ({"ce-horizonstream": "x"}, "/horizonstream"),
])
def test_a_header_that_is_no_attribute_is_refused_by_name(daemon: Daemon, more: dict[str, str], pointer: str) -> None:
    problem(append(daemon, "thing-0", b"{}", headers=BINARY | more), 400, "malformed-event", pointer)


def test_headers_that_are_there_twice_are_refused(daemon: Daemon) -> None:
    for name in ("ce-id", "ce-x", "content-type"):
        twice = [*BINARY.items(), (name, "a/b"), (name, "a/b")]
        answer = daemon.exact_http("POST", "/streams/thing-0", b"", twice)
        assert answer.status == 400 and b"twice" in answer.body, answer.body


def test_what_is_huge_is_refused(daemon: Daemon) -> None:
    problem(append(daemon, "thing-0", b"", headers=BINARY | {"ce-id": "1" * 2000}), 413, "limit", "1024")
    many = {f"ce-x{n}": "1" for n in range(70)}
    problem(append(daemon, "thing-0", b"", headers=BINARY | many), 413, "limit", "64")
    assert append(daemon, "thing-0", b"", headers=BINARY | {"ce-x": "1" * 1_000_000}).status in (413, 431)
    assert daemon.http("GET", "/health").status == 200


@pytest.mark.parametrize(("content_type", "body"), [
    ("application/cloudevents+avro", b""), ("application/cloudevents+xml", b"<e/>"), ("text/plain", b"{}"), (None, b"{}"),
    ("application/json; charset=utf-16", b"{}"), (f"{STRUCTURED}; charset=latin1", b"{}"), ("json", b"{}"),
])
def test_a_body_of_an_unknown_format_is_refused_with_what_is_taken(daemon: Daemon, content_type: str | None, body: bytes) -> None:
    answer = append(daemon, "thing-0", body, content_type)
    problem(answer, 415, "not-json")
    assert STRUCTURED in answer.headers["accept-post"] and BATCH in answer.headers["accept-post"]


@pytest.mark.parametrize("media_type", [STRUCTURED, BATCH])
def test_a_commit_is_plain_json_as_a_cloudevent_names_no_stream(daemon: Daemon, media_type: str) -> None:
    answer = daemon.exact_http("POST", "/commits", b"[]", {"content-type": media_type})
    problem(answer, 415, "not-json", "/streams")


@pytest.mark.parametrize(("body", "content_type"), [(b"[]", BATCH), (b"{}", BATCH), (b"[]", STRUCTURED), (b"", STRUCTURED), (b"[1]", BATCH)])
def test_a_batch_is_an_array_of_events_and_a_structured_event_one(daemon: Daemon, body: bytes, content_type: str) -> None:
    problem(append(daemon, "thing-0", body, content_type), 400, "malformed")


@pytest.mark.parametrize("members", [
    {"data": 1, "data_base64": "AA=="}, {"data_base64": "A"}, {"data_base64": 1}, {"datacontenttype": "text/xml", "data": {}},
    {"datacontenttype": "application/json", "data_base64": "/w=="}, {"datacontenttype": "xml"}, {"data_base64": None},
])
def test_data_that_contradicts_itself_is_refused(daemon: Daemon, members: dict[str, Any]) -> None:
    event = {header[3:]: value for header, value in BINARY.items()} | members
    problem(append(daemon, "thing-0", json.dumps(event).encode(), STRUCTURED), 400, "malformed-event", "/data")


def test_json_in_binary_mode_must_be_json(daemon: Daemon) -> None:
    answer = append(daemon, "thing-0", b"{", "application/json", BINARY)
    problem(answer, 400, "malformed-event", "/data")


@pytest.mark.parametrize(("content_type", "body", "word"), [
    ("text/xml", b"<a/>", "is text/xml"), (None, b"", "is missing"), (None, b"\xff", "is not JSON"),
    ("application/json", b"{}", "transactionId"),
])
def test_a_private_schema_is_for_json(daemon: Daemon, content_type: str | None, body: bytes, word: str) -> None:
    headers = BINARY | {"ce-id": "unfit", "ce-type": "CashDeposited"}
    problem(append(daemon, "account-1", body, content_type, headers), 422, "schema", "/data", word)


# What is expected of a stream.

def one(number: int) -> dict[str, Any]:
    """An event in plain JSON; its source is the stream."""
    return {"id": f"e{number}", "type": "ThingSeen", "data": number}


def test_every_row_of_the_table_of_preconditions(daemon: Daemon, stream: str) -> None:
    def post(event: object, **headers: str) -> Answer:
        return daemon.http("POST", f"/streams/{stream}", event, {name.replace("_", "-"): value for name, value in headers.items()})

    wrong = "wrong-expected-revision"
    assert problem(post(one(1), if_match="*"), 412, wrong)["actual"] == 0
    first = post(one(1), if_none_match="*")
    assert first.status == 201 and first.headers["location"] == f"/streams/{stream}?from=1"
    assert problem(post(one(2), if_none_match="*"), 412, wrong)["actual"] == 1
    second = post(one(2), if_match=first.headers["etag"])
    assert second.status == 201 and second.headers["etag"] != first.headers["etag"]
    assert problem(post(one(3), if_match=first.headers["etag"]), 412, wrong)["actual"] == 2
    for expected in (0, 1, 3, "none"):
        told = problem(post({"expectedRevision": expected, "events": [one(3)]}), 409, wrong)
        assert told["actual"] == 2 and told["stream"] == stream
    for number, expected in ((3, 2), (4, "exists"), (5, "any"), (6, 5.0)):
        assert post({"expectedRevision": expected, "events": [one(number)]}).status == 201
    # A repeat is recognised before any precondition, in whatever form it stands.
    for answer in (post(one(1), if_none_match="*"), post(one(1), if_match='"0-77"'), post({"expectedRevision": 99, "events": [one(1)]})):
        assert answer.status == 200 and answer.json()["repeat"] and answer.json()["revision"] == 1
        assert answer.headers["etag"] == first.headers["etag"] and answer.headers["location"] == first.headers["location"]
    told = problem(post(one(1) | {"data": "other"}, if_match=second.headers["etag"]), 409, "id-conflict")
    assert [event["state"] for event in told["events"]] == ["different"]
    problem(post([one(7), one(7)]), 409, "id-conflict", "twice")
    for foreign in ('"xyzzy"', '""', 'W/"0-6"', '"0-6-6"', '"0-x"', '"6"'):
        assert problem(post(one(8), if_match=foreign), 412, wrong, "never gave")["actual"] == 6
    assert post(one(1), if_match='"xyzzy"').status == 200, "a repeat"
    for bad in (*({"if_match": no_tag} for no_tag in ("1", "W/1", '"', "", ",", '*, "0-6"', '"0-5" "0-6"', '"0-5", 6')), {"if_none_match": '"0-1"'},
                {"if_match": "*", "if_none_match": "*"}):
        problem(post(one(8), **bad), 400, "malformed-precondition")
    problem(post({"expectedRevision": 6, "events": [one(8)]}, if_match="*"), 400, "malformed", "once")


def test_of_several_etags_any_may_hold(daemon: Daemon, stream: str) -> None:
    path, wrong = f"/streams/{stream}", "wrong-expected-revision"

    def post(number: int, tags: str, more: str = "") -> Answer:
        headers = [("content-type", "application/json"), ("if-match", tags), *([("if-match", more)] if more else [])]
        return daemon.exact_http("POST", path, json.dumps(one(number)).encode(), headers)

    assert daemon.http("POST", path, [one(1), one(2)]).status == 201
    for number, tags in enumerate(('"0-1", "0-2"', '"x,y" ,"0-9","0-3"', 'W/"0-9",, "0-4",', '"0-4.batch", "0-5.batch"', '"7-6", "0-6"'), 3):
        answer = post(number, tags)
        assert (answer.status, answer.json().get("revision")) == (201, number), (tags, answer)
    assert post(8, '"0-1"', '"0-7"').status == 201, "lines of one name are one list"
    for none in ('"0-1", "0-2"', 'W/"0-8", "0-1"', '"0-8,0-8"'):
        assert problem(post(9, none), 412, wrong)["actual"] == 8
    headers = [("content-type", "application/json"), ("if-match", '"0-0"')]
    problem(daemon.exact_http("POST", f"{path}-none", json.dumps(one(1)).encode(), headers), 412, wrong)
    problem(post(9, '"7-1", "x"'), 412, "wrong-epoch")
    assert post(3, '"0-77", "0-78"').status == 200, "a repeat is recognised before it"


def test_a_stream_that_is_expected_twice_is_refused(daemon: Daemon) -> None:
    event = json.dumps(one(1) | {"stream": "thing-a/b"})
    body = f'{{"expectedRevisions": {{"thing-a/b": 7, "thing-c": "any", "thing-a/b": "none"}}, "events": [{event}]}}'
    told = problem(daemon.http("POST", "/commits", body.encode()), 400, "malformed", "twice", "once")
    assert told["pointer"] == "/expectedRevisions/thing-a~1b"
    for body in (f'{{"events": [], "events": [{event}]}}', f'{{"expectedRevisions": {{}}, "expectedRevisions": {{}}, "events": [{event}]}}',
                 f'{{"events": [{{"stream": "thing-0", {event[1:]}]}}'):
        problem(daemon.http("POST", "/commits", body.encode()), 400, "malformed")
    twice = f'{{"expectedRevision": 7, "expectedRevision": "any", "events": [{json.dumps(one(1))}]}}'
    problem(daemon.http("POST", "/streams/thing-d", twice.encode()), 400, "malformed")
    assert daemon.http("GET", "/streams/thing-a%2Fb").status == 404


def test_a_category_may_demand_that_something_is_expected(daemon: Daemon) -> None:
    required = "expectation-required"
    problem(daemon.http("POST", "/streams/strict-1", one(1)), 428, required, "categories.strict.expected_revision", "If-Match")
    problem(append(daemon, "strict-1", b"", headers=BINARY | {"ce-id": "strict"}), 428, required)
    made = daemon.http("POST", "/streams/strict-1", one(1), {"if-none-match": "*"})
    assert made.status == 201
    assert daemon.http("POST", "/streams/strict-1", one(1)).status == 200, "a repeat is recognised before it"
    problem(daemon.http("POST", "/streams/strict-1", [one(1), one(2)]), 409, "id-conflict")
    assert daemon.http("POST", "/streams/strict-1", {"expectedRevision": "any", "events": [one(2)]}).status == 201, "said in words"
    assert append(daemon, "strict-1", b"", headers=BINARY | {"ce-id": "strict", "if-match": daemon.http("GET", "/streams/strict-1").headers["etag"]}).status == 201

    def commit(expected: dict[str, Any], *events: dict[str, Any]) -> Answer:
        return daemon.http("POST", "/commits", {"expectedRevisions": expected, "events": list(events)})

    new, other = one(3) | {"stream": "strict-1"}, one(9) | {"stream": "thing-9"}
    told = problem(commit({"thing-9": "none"}, other, new), 428, required)
    assert told["stream"] == "strict-1"
    assert daemon.http("GET", "/streams/thing-9").status == 404, "all or nothing"
    assert commit({"strict-1": 3}, other, new).status == 201
    assert commit({}, other, new).status == 200, "a repeat is recognised before it"
    assert daemon.http("POST", "/streams/account-77", deposit("77")).status == 201, "optional, as in the other categories"
    imported = daemon.http("POST", "/commits?door=import", {"events": [one(4) | {"stream": "strict-2"}]})
    assert imported.status == 201, "an import decides nothing"
