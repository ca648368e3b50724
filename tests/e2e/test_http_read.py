"""Reading private events over HTTP: forms by `Accept`, pages by links, one event, validators."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from exact import loads
from facts import Event, card, deposit
from following import BATCH, JSON, LINES, get, lines, links, pages
from rig.daemon import Answer, Daemon
from rig.waiting import wait_until

STREAM = "/streams/account-42"
OWN = {"horizonstream", "horizonrevision", "horizonposition", "horizonrecorded", "horizonflagged"}


@pytest.fixture
def events(daemon: Daemon) -> list[Event]:
    """Seven events of one stream and three of another, one after the other."""
    stored = []
    for number in range(10):
        account = "7" if number in (2, 5, 8) else "42"
        stored.append(card(account) if number == 9 else deposit(account))
        assert daemon.http("POST", f"/streams/account-{account}", stored[-1]).status == 201
    return stored


def ids(answer: Answer, accept: str) -> list[str]:
    """The ids of a page's events."""
    if accept == JSON:
        return [one["event"]["id"] for one in answer.json()["events"]]
    found = json.loads(answer.body) if accept == BATCH else [json.loads(line) for line in lines(answer.body)]
    return [one["id"] for one in found]


def of(stored: list[Event], account: str) -> list[str]:
    """The ids of an account's events."""
    return [event["id"] for event in stored if event["data"]["accountId"] == account]


def test_an_event_is_given_in_each_form_as_it_was_sent(daemon: Daemon) -> None:
    raw = ('[{"specversion":"1.0","id":"ž 1","type":"CashDeposited","source":"//bank/é","time":"2026-01-31T12:00:00.10+01:00",'
           '"subject":"a b%","dataschema":"https://x.example/s","traceparent":"00-é-\\"1\\"","count":-7,"really":false,'
           '"datacontenttype":"application/vnd.bank+json; charset=utf-8",'
           '"data":{"transactionId":"1","accountId":"42",\n "amount":10.50,"currency":"CZK",\r\n"balance":12345678901234567890.10e-3}}]')
    assert daemon.http("POST", STREAM, raw.encode()).status == 201
    (sent,) = loads(raw)
    plain = loads(get(daemon, STREAM).body)["events"][0]
    assert plain["event"] == {name: value for name, value in sent.items() if name != "specversion"}

    batch = get(daemon, STREAM, BATCH)
    assert batch.headers["content-type"] == BATCH and batch.headers["vary"] == "accept"
    (event,) = loads(batch.body)
    assert {name: value for name, value in event.items() if name not in OWN} == sent
    assert {name: str(event[name]) for name in OWN - {"horizonflagged"}} == {
        "horizonstream": "account-42", "horizonrevision": "1", "horizonposition": str(plain["position"]),
        "horizonrecorded": plain["recorded"]}
    assert b'"balance":12345678901234567890.10e-3' in batch.body

    for accept in (LINES, "application/jsonl"):
        answer = get(daemon, STREAM, accept)
        assert answer.headers["content-type"] == accept
        (line,) = lines(answer.body)
        assert loads(line) == event, "one line, though the data was sent on three"
    one = get(daemon, f"{STREAM}/1", "application/cloudevents+json")
    assert loads(one.body) == event
    read = JSONFormat().read(CloudEvent, one.body)
    assert (read.get_id(), read.get_subject(), read.get_extension("really")) == ("ž 1", "a b%", False)
    assert loads(get(daemon, f"{STREAM}/last").body) == {"stream": "account-42"} | plain


def test_data_that_is_null_and_events_without_a_source_come_back(lone_daemon: Daemon) -> None:
    lone_daemon.env["HORIZON_EVENTS_WITHOUT_SCHEMA"] = "accept"
    lone_daemon.start()
    assert lone_daemon.http("POST", "/streams/note-1", {"id": "1", "type": "Noted", "data": None}).status == 201
    (event,) = get(lone_daemon, "/streams/note-1", BATCH).json()
    assert (event["data"], event["source"]) == (None, "note-1") and "subject" not in event and "datacontenttype" not in event


def test_names_of_the_stores_own_attributes_are_kept_back(daemon: Daemon) -> None:
    for name in ("horizonposition", "horizonx"):
        answer = daemon.http("POST", STREAM, deposit("42") | {name: "1"})
        assert answer.status == 400 and answer.json()["errors"][0]["pointer"] == f"/{name}"


def test_what_is_not_offered_is_refused_with_what_is(daemon: Daemon, events: list[Event]) -> None:
    for path in ("/log", STREAM):
        answer = get(daemon, path, "text/html, application/json;q=0")
        assert answer.status == 406 and answer.headers["content-type"] == "application/problem+json"
        assert BATCH in answer.json()["offered"] and answer.json()["type"].endswith("not-acceptable")
        assert get(daemon, path, "text/html, */*;q=0.1").headers["content-type"] == JSON
        assert get(daemon, path, f"application/json;q=0.1, {LINES};q=0.2").headers["content-type"] == LINES
    assert get(daemon, "/streams?category=account", BATCH).status == 406


@pytest.mark.parametrize("accept", [JSON, BATCH, LINES])
def test_pages_lead_on_from_one_to_the_next(daemon: Daemon, events: list[Event], accept: str) -> None:
    def read(path: str) -> list[list[str]]:
        return [ids(answer, accept) for answer in pages(daemon, path, accept)]

    own = of(events, "42")
    assert read(f"{STREAM}?limit=3") == [own[:3], own[3:6], own[6:]]
    backwards = [one for page in read(f"{STREAM}?limit=3&direction=backwards") for one in page]
    assert backwards == own[::-1]
    every = [event["id"] for event in events]
    assert [one for page in read("/log?limit=4") for one in page] == every
    assert [one for page in read("/log?limit=4&direction=backwards") for one in page] == every[::-1]
    assert read("/log?category=account&limit=4") == [every[:4], every[4:8], every[8:]]
    assert [one for page in read("/log?type=CardIssued") for one in page] == every[9:]
    both = read("/log?category=account&type=CardIssued&limit=2")
    assert both == [[], [], [], [], every[9:]], "so much is looked at for each page, and no more"
    assert read("/log?category=nothing") == [[]]


def test_links_lead_back_and_to_the_beginning(daemon: Daemon, events: list[Event]) -> None:
    own = of(events, "42")
    middle = get(daemon, f"{STREAM}?from=4&limit=2")
    found = links(middle)
    assert ids(get(daemon, found["prev"]), JSON) == own[1:3] and ids(get(daemon, found["first"]), JSON) == own[:2]
    assert ids(get(daemon, found["next"]), JSON) == own[5:7] and found["next"] == middle.json()["next"]
    assert ids(get(daemon, links(get(daemon, f"{STREAM}?from=2&limit=2"))["prev"]), JSON) == own[:1]
    back = links(get(daemon, f"{STREAM}?from=4&limit=2&direction=backwards"))
    assert ids(get(daemon, back["prev"]), JSON) == own[5:3:-1] and ids(get(daemon, back["first"]), JSON) == own[:4:-1]
    assert ids(get(daemon, back["next"]), JSON) == own[1::-1]
    last = get(daemon, f"{STREAM}?direction=backwards&limit=1")
    assert ids(last, JSON) == own[-1:] and last.headers["horizon-head"] == "7"
    log = get(daemon, "/log?after=3&limit=2")
    assert (log.headers["horizon-through"], log.headers["horizon-head"]) == ("5", str(log.json()["head"]))
    assert "next" not in links(get(daemon, "/log?after=head")) and get(daemon, "/log?after=head").json()["events"] == []


def test_the_streams_of_a_category_are_listed_in_pages(daemon: Daemon, events: list[Event]) -> None:
    for number in range(3):
        assert daemon.http("POST", f"/streams/account-x{number}", deposit("x")).status == 201
    told: list[Any] = []
    for answer in pages(daemon, "/streams?category=account&limit=2", JSON):
        told += answer.json()["streams"]
    assert told == [{"stream": "account-42", "revision": 7}, {"stream": "account-7", "revision": 3},
                    *({"stream": f"account-x{number}", "revision": 1} for number in range(3))]
    assert get(daemon, "/streams?category=nothing").json() == {"category": "nothing", "streams": []}


@pytest.mark.parametrize(("path", "accept"), [
    (STREAM, JSON), (STREAM, BATCH), (STREAM, "*/*"), (f"{STREAM}?from=2&limit=2", LINES), ("/log", JSON), ("/log", LINES),
    (f"{STREAM}/2", "application/cloudevents+json"), (f"{STREAM}/2", "*/*"), ("/streams?category=account", JSON),
])
def test_who_has_a_page_is_not_sent_it_again(daemon: Daemon, events: list[Event], path: str, accept: str) -> None:
    first = get(daemon, path, accept)
    head = daemon.http("HEAD", path, headers={"accept": accept})
    assert head.body == b"" and head.status == 200
    same = {name: value for name, value in first.headers.items() if name not in ("date", "transfer-encoding")}
    assert {name: value for name, value in head.headers.items() if name != "date"} == same
    tag = first.headers["etag"]
    assert not tag.startswith("W/")
    known = get(daemon, path, accept, If_None_Match=f'"other", {tag}')
    assert (known.status, known.body, known.headers["etag"]) == (304, b"", tag)
    assert known.headers["cache-control"] == first.headers["cache-control"]
    daemon.http("POST", STREAM, deposit("42"))
    again = get(daemon, path, accept, If_None_Match=tag)
    assert again.status == 304 or (again.headers["etag"] != tag and again.status == 200)
    assert again.status == 200 or get(daemon, path, accept).body == first.body, "nothing has changed that was not sent"


def test_forms_have_tags_of_their_own_and_each_is_an_expectation(daemon: Daemon, events: list[Event]) -> None:
    tags = {get(daemon, STREAM, accept).headers["etag"] for accept in (JSON, BATCH, LINES)}
    assert len(tags) == 3
    appended = daemon.http("POST", STREAM, deposit("42"), {"If-Match": get(daemon, STREAM, BATCH).headers["etag"]})
    assert appended.status == 201 and appended.headers["etag"] == get(daemon, STREAM).headers["etag"]
    stale = daemon.http("POST", STREAM, deposit("42"), {"If-Match": sorted(tags)[-1]})
    assert stale.status == 412


@pytest.mark.parametrize("path", [f"{STREAM}?limit=2", "/log?limit=4", "/log?category=account&limit=2",
                                  f"{STREAM}?from=6&limit=2&direction=backwards", "/log?before=5&limit=2&direction=backwards"])
@pytest.mark.parametrize("accept", [BATCH, LINES])
def test_what_is_said_never_to_change_does_not(daemon: Daemon, events: list[Event], path: str, accept: str) -> None:
    def kept(answer: Answer) -> bool:
        return "immutable" in answer.headers["cache-control"]

    first = get(daemon, path, accept)
    assert not kept(first), "the address does not name an epoch"
    assert "private" in first.headers["cache-control"]
    addresses = [f"{path}&epoch=0", *(target for page in pages(daemon, path, accept) if (target := links(page).get("next")))]
    before = {address: get(daemon, address, accept) for address in addresses}
    assert any(map(kept, before.values())) and (not kept(before[addresses[-1]]) or "backwards" in path)
    for _ in range(5):
        assert daemon.http("POST", STREAM, deposit("42")).status == 201
    for address, answer in before.items():
        if kept(answer):
            now = get(daemon, address, accept)
            assert (now.body, links(now)) == (answer.body, links(answer)), address
    for address in addresses:
        assert not kept(get(daemon, address, JSON)), "the document tells the head, which moves"


@pytest.mark.parametrize(("path", "status", "problem"), [
    ("/log?after=x", 400, "malformed-query"), ("/log?after=-1", 400, "malformed-query"), ("/log?unknown=1", 400, "malformed-query"),
    ("/log?after=1&after=2", 400, "malformed-query"), ("/log?direction=sideways", 400, "malformed-query"),
    ("/log?direction=backwards&after=3", 400, "malformed-query"), ("/log?before=3", 400, "malformed-query"),
    ("/log?wait=61", 400, "malformed-query"), ("/log?wait=1&direction=backwards", 400, "malformed-query"),
    ("/log?epoch=1", 409, "another-epoch"), (f"{STREAM}?epoch=7", 409, "another-epoch"),
    ("/log?after=1000", 409, "another-history"), ("/log?after=9007199254740993", 409, "another-history"),
    (f"{STREAM}?from=-1", 400, "malformed-query"), (f"{STREAM}/x", 400, "malformed"), (f"{STREAM}/8", 404, "no-such-event"),
    (f"{STREAM}/0", 404, "no-such-event"), ("/streams/account-none/1", 404, "no-such-event"),
    ("/streams/account-none?wait=1", 404, "no-such-stream"), ("/streams", 400, "malformed-query"),
    ("/streams?category=account&after=%00", 400, "malformed-query"),
])
def test_what_makes_no_sense_is_refused_with_what_would(daemon: Daemon, events: list[Event], path: str, status: int,
                                                        problem: str) -> None:
    answer = get(daemon, path)
    assert (answer.status, answer.json()["type"]) == (status, f"urn:horizon:problem:{problem}"), answer
    assert answer.json()["detail"] and (answer.json().get("mend") or problem == "no-such-stream")


def test_a_page_is_bounded_in_bytes(daemon: Daemon) -> None:
    wide = [deposit("42") | {f"wide{number:02}": "x" * 60_000 for number in range(10)} for _ in range(8)]
    for event in wide:
        assert daemon.http("POST", STREAM, event).status == 201
    for path in (STREAM, "/log", f"{STREAM}?direction=backwards"):
        sizes = [len(answer.body) for answer in pages(daemon, path, BATCH)]
        assert len(sizes) > 1 and max(sizes) < 6_000_000 and sum(sizes) > 4_800_000, sizes


def test_damage_at_a_readers_own_place_is_the_stores_trouble_and_no_other_history(daemon: Daemon) -> None:
    # So many that the damage lies far from both ends, which a start reads.
    for _ in range(4):
        answer = daemon.http("POST", STREAM, [deposit("42") for _ in range(250)])
        assert answer.status == 201
    head = answer.json()["position"]
    wait_until(lambda: all(one["cursor"] >= head for one in daemon.status()["contracts"]), "all has crossed", 20)
    # A backup brings everything into tables.
    assert daemon.run("backup", daemon.folder / "backups").returncode == 0
    assert daemon.stop() == 0
    [table] = [one for one in (daemon.folder / "data" / "rocksdb").glob("*.sst") if b"transactionId" in one.read_bytes()]
    flipped = bytearray(table.read_bytes())
    flipped[len(flipped) // 2] ^= 4
    table.write_bytes(flipped)
    daemon.start()
    told = {place: get(daemon, f"/log?after={place}&limit=1") for place in range(1, head)}
    assert {answer.status for answer in told.values()} == {200, 503}
    [trouble] = {answer.json()["type"] for answer in told.values() if answer.status == 503}
    assert trouble == "urn:horizon:problem:store-unavailable"
    beyond = get(daemon, f"/log?after={head + 99}")
    assert (beyond.status, beyond.json()["type"]) == (409, "urn:horizon:problem:another-history"), beyond
