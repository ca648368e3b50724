"""Whose a `source` is: nobody uses up ids under the names of other people's streams, or learns where their events are."""

from __future__ import annotations

import json
import re

import pytest
from facts import Event, deposit, event
from guarding import TOKENS, access, append, bearer, digest, rewrite
from rig.daemon import Answer, Daemon

CLOUD_EVENT = "application/cloudevents+json"


def note(source: str | None, event_id: str | None = None) -> Event:
    """An event without a schema."""
    return event("Note", {"text": "x"}, event_id) | ({"source": source} if source else {})


@pytest.fixture
def shared(guarded: Daemon) -> Daemon:
    """A daemon whose log several share: a stranger has the category `card`, payments `account`, and `loan`, which has no schema."""
    guarded.env["HORIZON_EVENTS_WITHOUT_SCHEMA"] = "accept"
    grants = "append: [card], import: [card], read: [card]"
    rewrite(guarded, access(f"    stranger: {{ tokens: [ {{ sha256: {digest(TOKENS['stranger'])} }} ], grants: {{ {grants} }} }}",
                            payments="append: [account, loan], read: [account, loan]"))
    guarded.start()
    return guarded


def send(daemon: Daemon, body: object, path: str = "/streams/card-1", who: str = "stranger", **headers: str) -> Answer:
    """Sends an append."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return daemon.http("POST", path, body, bearer(who) | named)


def test_nobody_uses_up_ids_under_the_names_of_other_peoples_streams(shared: Daemon) -> None:
    assert send(shared, note(None), "/streams/loan-1", "payments").status == 201
    taken = deposit("1")
    name = "account-1"
    whole = note(name, taken["id"]) | {"specversion": "1.0"}
    binary = {"ce_specversion": "1.0", "ce_id": taken["id"], "ce_source": name, "ce_type": "Note"}
    answers = [
        send(shared, note(name, taken["id"])), send(shared, [note("/free"), note(name, taken["id"])]),
        send(shared, whole, content_type=CLOUD_EVENT), send(shared, {"text": "x"}, **binary),
        send(shared, [whole], content_type="application/cloudevents-batch+json"),
        send(shared, {"events": [note(name, taken["id"]) | {"stream": "card-1"}]}, "/commits"),
        send(shared, note(name, taken["id"]), "/streams/card-1?door=import"),
        send(shared, note("account-not-there-yet")), send(shared, note("account")), send(shared, note("loan-2"))]
    assert [answer.status for answer in answers] == [403] * len(answers), [answer.body for answer in answers]
    told = answers[1].json()
    assert told["type"].endswith(":forbidden") and told["event"] == 1 and name in told["detail"] and "URI" in told["mend"]
    log = re.sub(r"\x1b\[[0-9;]*m", "", shared.log.read_text())
    assert 'principal="stranger" verb="append" scope="category account"' in log and 'scope="category loan"' in log
    answer = send(shared, taken, "/streams/account-1", "payments")
    assert answer.status == 201, "it is its owner's"
    # Whether it is stored is no business of others: what their schemas refuse is not looked up either.
    assert send(shared, taken | {"source": name, "data": {}}).status == 403
    # Who has the grant may.
    assert send(shared, note("loan-2"), "/streams/account-1", "payments").status == 201


@pytest.mark.parametrize("source", ["/accounts", "//bank.example/account-1", "https://bank.example/account-1", "urn:account-1", "mobile-app",
                                    "my own words", "card-2", "card", "x" * 300])
def test_what_is_no_stream_of_another_category_stays_free(shared: Daemon, source: str) -> None:
    assert append(shared, bearer("payments")) == 201
    assert send(shared, note(source)).status == 201


def test_where_the_other_event_is_is_told_to_those_who_may_read_it(shared: Daemon) -> None:
    first = note("/shared", "the-one")
    stored = send(shared, first, "/streams/account-1", "payments")
    assert stored.status == 201
    for body in ([first, note("/shared")], [note("/shared", "the-one") | {"data": 7}]):
        answer = send(shared, body)
        assert answer.status == 409 and answer.json()["type"].endswith(":id-conflict")
        assert all(set(one) == {"state"} for one in answer.json()["events"]), answer.body
        assert "account" not in json.dumps(answer.json())
    told = send(shared, note("/shared", "the-one") | {"data": 7}, "/streams/account-1", "payments").json()["events"]
    assert told == [{"state": "different", "stream": "account-1", "revision": 1, "position": stored.json()["position"]}]
