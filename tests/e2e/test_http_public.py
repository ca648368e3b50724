"""The public side over HTTP: what was published to the byte, catalogue and schemas, and nothing else."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from canaries import admit_canaries, find, put_canaries
from facts import deposit, loan_payment
from following import BATCH, EVENTS, JSON, LINES, Follower, get, lines, links, pages
from jsonschema import Draft202012Validator
from oracle import ACCOUNTS, LENDING, RULES, SOURCES, forecast, read_events
from places import REPOSITORY
from rack import Brokers, Rack, rack_on
from rig.daemon import Answer, Daemon
from rig.ports import free_ports
from rig.processes import Process
from rig.waiting import wait_until

SOME = "example.bank.account.credited.v1"
PRIVATE_TYPES = [*RULES, "ClientRegistered", "AccountHolderAdded", "CardIssued"]
CLOUD_EVENT = "application/cloudevents+json"
CLIENT = REPOSITORY / "deploy" / "clients" / "python" / "follow.py"


@pytest.fixture
def published(daemon: Daemon) -> list[bytes]:
    """Nine public events of three keys and two types, as JSON lines give them."""
    for number in range(9):
        event = deposit(str(number % 3)) if number % 2 else loan_payment(str(number % 3))
        assert daemon.http("POST", f"/streams/account-{number % 3}", event).status == 201
    wait_until(lambda: daemon.contract(ACCOUNTS)["sequence"] == 9, "all have crossed", 20)
    wait_until(lambda: daemon.contract(LENDING)["cursor"] == daemon.contract(ACCOUNTS)["cursor"], "at both", 20)
    return all_of(daemon, f"/public/{ACCOUNTS}")


def all_of(daemon: Daemon, path: str) -> list[bytes]:
    """The events of a page and all after it."""
    return [line for page in pages(daemon, path, LINES) for line in lines(page.body)]


def sequence(event: bytes) -> int:
    """An event's place."""
    return int(json.loads(event)["sequence"])


def test_everything_is_given_to_the_byte_as_it_was_published(rack: Rack, some_events: Path) -> None:
    due = forecast(read_events(some_events))
    rack.import_file(some_events)
    rack.wait_settled()
    rack.wait_received(due.count())
    received: dict[str, dict[int, bytes]] = {}
    for message in rack.mqtt.messages():
        received.setdefault(json.loads(message.payload)["source"], {})[sequence(message.payload)] = message.payload
    assert sum(map(len, received.values())) == due.count()
    for stream in (ACCOUNTS, LENDING):
        by_sequence = received[SOURCES[stream]]
        sent = [by_sequence[place] for place in sorted(by_sequence)]
        assert sent == all_of(rack.daemon, f"/public/{stream}?limit=300")
        batches = [page.body for page in pages(rack.daemon, f"/public/{stream}?limit=1000", BATCH)]
        assert b",".join(body[1:-1] for body in batches) == b",".join(sent)
        back = all_of(rack.daemon, f"/public/{stream}?limit=300&direction=backwards")
        assert back == sent[::-1]
        with Follower(rack.daemon, f"/public/{stream}") as follower:
            follower.wait_caught_up()
        assert [told.data.encode() for told in follower.messages()] == sent
        assert follower.places() == sorted(by_sequence)
        one = get(rack.daemon, f"/public/{stream}/{len(sent):020}")
        assert one.body == sent[-1] and one.headers["content-type"] == CLOUD_EVENT


def test_a_key_or_a_type_is_read_and_followed_by_itself(daemon: Daemon, published: list[bytes]) -> None:
    path = f"/public/{ACCOUNTS}"
    own = [event for event in published if json.loads(event)["partitionkey"] == "1"]
    assert len(own) == 3 and all_of(daemon, f"{path}?key=1") == own == all_of(daemon, f"{path}?key=1&limit=1")
    typed = [event for event in published if json.loads(event)["type"] == SOME]
    assert len(typed) == 4 and all_of(daemon, f"{path}?type={SOME}&limit=2") == typed
    assert all_of(daemon, f"{path}?key=1&type={SOME}&direction=backwards") == [one for one in own if one in typed][::-1]
    assert all_of(daemon, f"{path}?key=nobody") == []
    with Follower(daemon, f"{path}?key=1", "2") as follower:
        follower.wait_caught_up()
        daemon.http("POST", "/streams/account-2", deposit("2"))
        daemon.http("POST", "/streams/account-1", deposit("1"))
        follower.wait_for(lambda told: told[-1].id == "11", "the last one")
    assert [told.json()["partitionkey"] for told in follower.messages()] == ["1"] * 3
    assert follower.places() == [5, 8, 11]


def test_where_a_gap_is_and_where_the_head_is_can_be_asked(daemon: Daemon, published: list[bytes]) -> None:
    path = f"/public/{ACCOUNTS}"
    listed = {one["contract"]: one for one in get(daemon, "/public").json()["contracts"]}
    assert set(listed) == {ACCOUNTS, LENDING} and listed[ACCOUNTS]["head"] == listed[ACCOUNTS]["events"] == 9
    assert all_of(daemon, listed[ACCOUNTS]["address"]) == published
    last = get(daemon, f"{path}?direction=backwards&limit=1")
    assert last.body == b"[" + published[-1] + b"]" and last.headers["horizon-head"] == "9"
    head = daemon.http("HEAD", path)
    assert (head.status, head.body, head.headers["horizon-head"]) == (200, b"", "9")
    for event in published:
        previous = int(json.loads(event)["previoussequence"])
        answer = get(daemon, f"{path}/{previous:020}")
        assert answer.status == (200 if previous else 404)
        if previous:
            before = json.loads(answer.body)
            assert all(before[name] == json.loads(event)[name] for name in ("partitionkey", "type"))
    assert get(daemon, f"{path}/10").json()["type"].endswith("no-such-event")
    one = get(daemon, f"{path}/3")
    assert "immutable" in one.headers["cache-control"] and "private" in one.headers["cache-control"]
    assert get(daemon, f"{path}/3", If_None_Match=one.headers["etag"]).status == 304


def test_a_time_is_a_beginning(daemon: Daemon, published: list[bytes]) -> None:
    path = f"/public/{ACCOUNTS}"
    for long_ago in ("2000-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "0501-04-10T17:21:57-20:30"):
        assert all_of(daemon, f"{path}?since={long_ago}") == published
    assert all_of(daemon, f"{path}?since=2999-01-01T00:00:00%2B01:00") == []
    log = get(daemon, "/log?direction=backwards&limit=1", JSON).json()["events"][0]["recorded"]
    daemon.http("POST", "/streams/account-1", deposit("1"))
    wait_until(lambda: daemon.contract(ACCOUNTS)["sequence"] == 10, "it has crossed")
    late = get(daemon, "/log?direction=backwards&limit=1", JSON).json()["events"][0]["recorded"]
    assert log < late
    assert [sequence(event) for event in all_of(daemon, f"{path}?since={late}")] == [10]
    with Follower(daemon, f"{path}?since={late}") as follower:
        follower.wait_caught_up()
    assert follower.places() == [10]
    for bad in ("yesterday", "2026-01-01", "2026-01-01T00:00:00+01:00"):
        assert get(daemon, f"{path}?since={bad}").status == 400
    assert get(daemon, f"{path}?since={late}&after=3").status == 400


def test_pages_that_others_come_after_never_change(daemon: Daemon, published: list[bytes]) -> None:
    first = get(daemon, f"/public/{ACCOUNTS}?limit=4")
    assert first.headers["content-type"] == BATCH and "immutable" not in first.headers["cache-control"]
    second = get(daemon, links(first)["next"])
    assert "immutable" in second.headers["cache-control"]
    third = get(daemon, links(second)["next"])
    assert "immutable" not in third.headers["cache-control"] and "next" not in links(third)
    known = get(daemon, links(second)["next"], If_None_Match=third.headers["etag"])
    assert known.status == 304
    daemon.http("POST", "/streams/account-1", deposit("1"))
    wait_until(lambda: daemon.contract(ACCOUNTS)["sequence"] == 10, "it has crossed")
    assert get(daemon, links(first)["next"]).body == second.body
    assert get(daemon, links(second)["next"], If_None_Match=third.headers["etag"]).status == 200
    document = get(daemon, f"/public/{ACCOUNTS}?limit=4", JSON).json()
    assert (document["head"], document["through"], len(document["events"])) == (10, 4, 4) and "after=4" in document["next"]


def test_a_key_that_is_rare_costs_a_bounded_look_for_each_page(daemon: Daemon) -> None:
    for _ in range(11):
        assert daemon.http("POST", "/streams/account-1", [deposit("1") for _ in range(1_000)]).status == 201
    daemon.http("POST", "/streams/account-rare", deposit("rare"))
    wait_until(lambda: daemon.contract(ACCOUNTS)["sequence"] == 11_001, "all have crossed", 60)
    first = get(daemon, f"/public/{ACCOUNTS}?key=rare")
    assert (first.json(), first.headers["horizon-through"]) == ([], "10000")
    assert [json.loads(one)["partitionkey"] for one in all_of(daemon, f"/public/{ACCOUNTS}?key=rare")] == ["rare"]
    assert [page.headers["horizon-through"] for page in pages(daemon, f"/public/{ACCOUNTS}?key=x", BATCH)] == ["10000", "11001"]
    back = [page.headers["horizon-through"] for page in pages(daemon, f"/public/{ACCOUNTS}?key=x&direction=backwards", BATCH)]
    assert back == ["1002", "0"]
    poll = get(daemon, f"/public/{ACCOUNTS}?key=x&wait=30", JSON).json()
    assert poll["events"] == [] and poll["through"] == 10_000, "who is behind does not wait"


def test_only_reading_is_offered(daemon: Daemon) -> None:
    for path in ("/public", f"/public/{ACCOUNTS}", f"/public/{ACCOUNTS}/1", "/catalog", "/schemas", "/schemas/x"):
        for method in ("POST", "DELETE", "PUT"):
            answer = daemon.http(method, path, {})
            assert answer.status == 405 and answer.json()["type"].endswith("wrong-method"), (method, path)
    assert get(daemon, "/publics").json()["type"].endswith("no-such-place")


def test_a_sequence_that_there_cannot_be_is_one_of_another_history(daemon: Daemon, published: list[bytes]) -> None:
    for after in (10, 1 << 53, (1 << 64) - 2, (1 << 64) - 1):
        problem = get(daemon, f"/public/{ACCOUNTS}?after={after}")
        assert problem.status == 409 and problem.json()["type"].endswith("another-history"), after
        assert problem.json()["resumeAfter"] == problem.json()["head"] == len(published)


def same_but_for(name: str, answer: Answer) -> tuple[int, bytes, dict[str, str]]:
    """An answer without what was asked for in it."""
    headers = {header: value for header, value in answer.headers.items() if header not in ("date", "content-length")}
    return answer.status, answer.body.replace(name.encode(), b"NAME"), headers


def test_a_draft_is_not_there_and_what_is_retired_still_is(lone_daemon: Daemon) -> None:
    contracts = lone_daemon.folder / "contracts"
    lone_daemon.start()
    lone_daemon.http("POST", "/streams/account-1", loan_payment("1"))
    wait_until(lambda: lone_daemon.contract(LENDING)["sequence"] == 1, "it has crossed")
    for file, status in ((f"{ACCOUNTS}.yaml", "draft"), (f"{LENDING}.yaml", "retired")):
        text = (contracts / file).read_text()
        (contracts / file).write_text(text.replace("version: 1.0.0\n", f"version: 1.0.0\nstatus: {status}\n"))
    assert lone_daemon.operator("POST", "/reload", {}).status == 200
    for path in ("", "?after=head", "?epoch=9", "?unknown=1", "/1", "/x"):
        for accept in (BATCH, EVENTS, "text/html"):
            draft = get(lone_daemon, f"/public/{ACCOUNTS}{path}", accept)
            nothing = get(lone_daemon, f"/public/no.such.v1{path}", accept)
            assert draft.status == 404 and same_but_for(ACCOUNTS, draft) == same_but_for("no.such.v1", nothing)
    assert [one["contract"] for one in get(lone_daemon, "/public").json()["contracts"]] == [LENDING]
    assert len(all_of(lone_daemon, f"/public/{LENDING}")) == 1
    for accept in ("application/json", "application/yaml", "text/html"):
        told = get(lone_daemon, "/catalog", accept).body
        assert LENDING.encode() in told and b"bank.accounts" not in told and b"account.credited" not in told
    assert get(lone_daemon, "/schemas/bank.accounts/credited.v1.json").status == 404
    assert get(lone_daemon, "/schemas/bank.lending/repaid.v1.json").status == 200


def test_the_catalogue_is_served_as_the_command_makes_it(daemon: Daemon) -> None:
    due = json.loads(daemon.run("catalog").stdout)
    answer = get(daemon, "/catalog")
    assert answer.headers["content-type"] == JSON and answer.json() == due
    assert get(daemon, "/catalog", "application/vnd.aai.asyncapi+json").json() == due
    assert get(daemon, "/catalog", "application/yaml").body.decode() == daemon.run("catalog", "--format", "yaml").stdout
    browser = get(daemon, "/catalog", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
    assert browser.headers["content-type"].startswith("text/html")
    assert browser.body.decode().strip() == daemon.run("catalog", "--format", "html").stdout.strip()
    assert get(daemon, "/catalog", If_None_Match=answer.headers["etag"]).status == 304
    assert get(daemon, "/catalog", "image/png").status == 406


def test_each_events_schema_is_at_the_address_that_it_names(lone_daemon: Daemon) -> None:
    contract = lone_daemon.folder / "contracts" / f"{LENDING}.yaml"
    contract.write_text(contract.read_text() + '\ndataschema: "https://schemas.bank.example/{contract}/{name}/v{major}"\n')
    lone_daemon.start()
    lone_daemon.http("POST", "/streams/account-1", [loan_payment("1"), deposit("1")])
    wait_until(lambda: lone_daemon.contract(LENDING)["sequence"] == 1 and lone_daemon.contract(ACCOUNTS)["sequence"] == 2, "crossed")
    events = [json.loads(one) for stream in (ACCOUNTS, LENDING) for one in all_of(lone_daemon, f"/public/{stream}")]
    assert len(events) == 3
    for event in events:
        path = urlsplit(event["dataschema"]).path.removeprefix("/schemas")
        for address in (f"/schemas{path}", f"/schemas/{quote(event['dataschema'], safe='')}"):
            answer = get(lone_daemon, address)
            assert (answer.status, answer.headers["content-type"]) == (200, "application/schema+json"), address
            Draft202012Validator(answer.json()).validate(event["data"])
            assert event["type"].split(".")[-2] in answer.json()["$id"]
            assert "max-age=3600" in answer.headers["cache-control"] and "private" in answer.headers["cache-control"]
            assert get(lone_daemon, address, If_None_Match=answer.headers["etag"]).status == 304
    listed = get(lone_daemon, "/schemas").json()["schemas"]
    assert {one["dataschema"] for one in listed} >= {event["dataschema"] for event in events}
    for one in listed:
        assert get(lone_daemon, one["address"]).status == 200, one
    for nothing in ("/schemas/nothing", "/schemas/private/account/CashDeposited.json", "/schemas/account/CashDeposited.json",
                    "/schemas/..%2Fprivate%2Faccount%2FCashDeposited.json"):
        assert get(lone_daemon, nothing).json()["type"].endswith("no-such-schema"), nothing


def test_the_client_without_a_broker_processes_each_event_once(lone_daemon: Daemon, some_events: Path, tmp_path: Path) -> None:
    (port,) = free_ports(1)
    lone_daemon.env["HORIZON_HTTP__LISTEN"] = f"127.0.0.1:{port}"
    lone_daemon.start()
    due = forecast(read_events(some_events)).public[ACCOUNTS]
    inbox, output = tmp_path / "inbox.jsonl", tmp_path / "follow.log"
    command = [sys.executable, CLIENT, f"http://127.0.0.1:{port}", ACCOUNTS, inbox]

    def processed() -> int:
        return inbox.read_bytes().count(b"\n") if inbox.exists() else 0

    clients = [Process(command, output)]
    try:
        wait_until(lambda: b"connected" in output.read_bytes(), "it is connected", 20, state=clients[-1].tail)
        importing = Process(lone_daemon.command("import", some_events), tmp_path / "import.log", env=lone_daemon.environment())
        clients.append(importing)
        for part in (1, 2):
            wait_until(lambda part=part: processed() > part * len(due) // 5, "some are processed", 60, 0.005)
            clients[0].kill()
            clients[0] = Process(command, output)
        assert importing.wait(60) == 0
        wait_until(lambda: processed() >= len(due), "all are processed", 60, state=clients[0].tail)
        lone_daemon.kill()
        lone_daemon.start()
        wait_until(lambda: output.read_bytes().count(b"connected\n") == 4, "it comes back", 30, state=clients[0].tail)
        assert lone_daemon.http("POST", "/streams/account-5", deposit("5")).status == 201
        wait_until(lambda: processed() > len(due), "what came later is processed", 30, state=clients[0].tail)
        assert clients[0].stop() == 0 and clients[0].tail(1) == "stopped"
    finally:
        for client in clients:
            client.kill()
    events = [json.loads(line) for line in inbox.read_bytes().splitlines()]
    assert [int(event["sequence"]) for event in events] == list(range(1, len(due) + 2))
    assert b"gap" not in output.read_bytes() and b"repeat" not in output.read_bytes()


@pytest.mark.timeout(300)
def test_nothing_private_is_in_any_public_answer(tmp_path: Path, brokers: Brokers, some_events: Path) -> None:
    events = tmp_path / "canaries.jsonl"
    put_canaries(read_events(some_events), events)
    with rack_on(tmp_path, brokers, start=False) as rack:
        admit_canaries(rack.daemon.folder / "schemas" / "private")
        rack.daemon.start()
        rack.import_file(events)
        rack.wait_settled()
        left: list[bytes] = []

        def told(answer: Answer) -> Answer:
            left.append(b"\n".join([*(f"{name}: {value}".encode() for name, value in answer.headers.items()), answer.body]))
            return answer

        count = 0
        for stream in (ACCOUNTS, LENDING):
            path = f"/public/{stream}"
            for accept in (BATCH, LINES, JSON):
                for page in pages(rack.daemon, f"{path}?limit=500", accept):
                    told(page)
                    count += page.body.count(b'"specversion"')
            with Follower(rack.daemon, path) as follower:
                follower.wait_caught_up()
            left += [repr(one).encode() for one in follower.told]
            told(get(rack.daemon, f"{path}?key=none", BATCH))
            for more in ("?after=99999999", "?after=x", "?epoch=3", "?since=x", "?direction=backwards", "/1", "/0", "/x", "/99999999",
                         "?wait=99"):
                for accept in (BATCH, "image/png", EVENTS):
                    told(get(rack.daemon, path + more, accept))
        for accept in (JSON, "application/yaml", "text/html"):
            told(get(rack.daemon, "/catalog", accept))
        for one in told(get(rack.daemon, "/schemas")).json()["schemas"]:
            told(get(rack.daemon, one["address"]))
        for path in ("/public", "/public/nothing.v1", "/schemas/nothing", "/schemas/private/client/ClientRegistered.json"):
            told(get(rack.daemon, path))
    assert count > 3_000 and len(left) > 1_000
    for one in left:
        body = one.replace(b"private/client/ClientRegistered.json", b"what was asked for")
        assert not find(body), one
        assert b"horizonposition" not in body
        for private_type in PRIVATE_TYPES:
            assert private_type.encode() not in body, (private_type, body[:2000])
            assert base64.b64encode(private_type.encode()) not in body
