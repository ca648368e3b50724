"""Following private events: server-sent events and long polls, through restarts, beside slow readers, and ended in order."""

from __future__ import annotations

import http.client
import itertools
import json
import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from facts import deposit, event
from following import BATCH, EVENTS, LINES, Follower, Told, get, lines, links, pages
from places import NODE_MODULES, generated_events
from rig.daemon import Daemon
from rig.ports import free_ports
from rig.processes import Process
from rig.waiting import wait_until

EPOCH = 1 << 40
RESTORED = 16 * EPOCH
MIB = 1024 * 1024


@pytest.fixture
def fixed(lone_daemon: Daemon) -> Daemon:
    """A daemon whose address stays the same over restarts, so that clients which know no other come back to it."""
    (port,) = free_ports(1)
    lone_daemon.env["HORIZON_HTTP__LISTEN"] = f"127.0.0.1:{port}"
    lone_daemon.start()
    return lone_daemon


def append(daemon: Daemon, account: str = "5", count: int = 1) -> int:
    """Appends, and returns the last position."""
    answer = daemon.http("POST", f"/streams/account-{account}", [deposit(account) for _ in range(count)])
    assert answer.status == 201, answer
    return answer.json()["position"]


def stored(daemon: Daemon, path: str = "/log") -> list[int]:
    """The positions that pages tell of."""
    bodies = [page.body for page in pages(daemon, path, LINES)]
    return [int(json.loads(line)["horizonposition"]) for body in bodies for line in lines(body)]


def test_a_follow_goes_through_history_into_the_present(daemon: Daemon) -> None:
    before = append(daemon, count=3)
    with Follower(daemon, "/log") as follower:
        follower.wait_caught_up()
        append(daemon, "6")
        last = append(daemon, "5")
        follower.wait_for(lambda told: str(last) in [one.id for one in told], "the last one")
    names = [told.event for told in follower.told]
    assert names == ["message"] * 3 + ["caught-up"] + ["message"] * 2
    assert follower.told[3].json() == {"through": before} and follower.told[3].id == str(before)
    assert follower.places() == stored(daemon)
    events = [json.loads(line) for page in pages(daemon, "/log", LINES) for line in lines(page.body)]
    assert [told.json() for told in follower.messages()] == events, "each is the CloudEvent that a page gives"


def test_a_follow_begins_where_it_is_told(daemon: Daemon) -> None:
    append(daemon, count=3)
    fourth = append(daemon)
    for path, last_id, first in [
        (f"/log?after={fourth}", None, 5), ("/log?after=0", str(fourth), 5), ("/log?after=head", None, None),
        ("/streams/account-5?from=3", None, 3), ("/streams/account-5", str(fourth), 5), ("/streams/account-5", str(fourth - 2), 3),
        ("/streams/account-5?from=2", str(fourth - 1), 4), ("/streams/account-5?from=11", None, 11),
    ]:
        now = get(daemon, "/streams/account-5").json()["revision"]
        with Follower(daemon, path, last_id) as follower:
            follower.wait_caught_up()
            late = str(append(daemon))
            follower.wait_for(lambda told, late=late: late in [one.id for one in told], f"{path} tells of what comes")
        revisions = [int(told.json()["horizonrevision"]) for told in follower.messages()]
        assert revisions == list(range(first or now + 1, now + 2)), path


def test_who_waits_for_a_revision_and_comes_back_before_it_is_there_gets_nothing_before_it(daemon: Daemon) -> None:
    append(daemon, count=2)
    path = "/streams/account-5?from=5"
    with Follower(daemon, path) as follower:
        follower.wait_caught_up()
        told = follower.last_id
    assert told, "history has ended, and that has a place"
    append(daemon, count=2)
    with Follower(daemon, path, told) as follower:
        follower.wait_caught_up()
        due = append(daemon, count=2)
        follower.wait_for(lambda told: str(due) in [one.id for one in told], "what it waits for")
    assert [int(told.json()["horizonrevision"]) for told in follower.messages()] == [5, 6]


def test_a_stream_is_followed_and_tells_of_nothing_else(daemon: Daemon) -> None:
    append(daemon, "5", 2)
    append(daemon, "6", 2)
    with Follower(daemon, "/streams/account-5") as follower:
        follower.wait_caught_up()
        passed = append(daemon, "6", 1_000)
        follower.wait_for(lambda told: told[-1].event == "position", "how far it is, before silence is broken", 10)
        assert int(follower.told[-1].id or 0) >= passed
        last = append(daemon, "5")
        follower.wait_for(lambda told: told[-1].id == str(last), "its own")
    assert [told.json()["horizonstream"] for told in follower.messages()] == ["account-5"] * 3
    assert get(daemon, "/streams/account-none", EVENTS).status == 404


@pytest.mark.parametrize("query", ["category=client", "type=CardIssued", "category=account&type=CardIssued"])
def test_a_filtered_follow_tells_now_and_then_how_far_it_is(daemon: Daemon, query: str) -> None:
    with Follower(daemon, f"/log?{query}") as follower:
        follower.wait_caught_up()
        passed = append(daemon, count=1_000)
        follower.wait_for(lambda told: told[-1].event == "position", "how far it is, before silence is broken", 10)
        place = follower.told[-1]
        assert place.json() == {"through": passed} and place.id == str(passed)
    with Follower(daemon, f"/log?{query}", place.id) as again:
        again.wait_caught_up()
        assert again.messages() == []


@pytest.mark.timeout(200)
def test_a_follower_reads_through_restarts_and_misses_and_repeats_nothing(fixed: Daemon, tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    done = threading.Event()

    def write(account: int) -> None:
        while not done.is_set():
            try:
                append(fixed, str(account), chance.randrange(1, 20))
            except (OSError, ValueError, AssertionError, http.client.HTTPException):
                done.wait(0.05)

    url = f"http://{fixed.addresses()['http']}/log"
    foreign = Process(["node", Path(__file__).with_name("follow_events.cjs"), NODE_MODULES, url], tmp_path / "eventsource.jsonl")

    def foreign_told() -> list[dict[str, object]]:
        return [json.loads(line) for line in foreign.output.read_bytes().split(b"\n")[:-1]]

    def connected() -> int:
        return sum(one["event"] == "connected" for one in foreign_told())

    writers = [threading.Thread(target=write, args=(n,)) for n in range(3)]
    with Follower(fixed, "/log") as whole, Follower(fixed, "/log?category=account") as category, ExitStack() as at_end:
        at_end.callback(foreign.kill)
        at_end.callback(done.set)
        for writer in writers:
            writer.start()
        for nth in range(6):
            seen = len(whole.told)
            whole.wait_for(lambda told, seen=seen: len(told) > seen + 200, "events come")
            wait_until(lambda nth=nth: connected() > nth, "npm's eventsource is there again", 30, state=foreign.tail)
            fixed.kill() if nth % 2 else fixed.stop()
            fixed.start()
        done.set()
        for writer in writers:
            writer.join()
        due = stored(fixed)
        for follower in (whole, category):
            follower.wait_for(lambda told: told and int(told[-1].id or 0) >= due[-1], "the last one")
            assert follower.places() == due and follower.connections == 7, follower.connections
        wait_until(lambda: str(due[-1]) in [one.get("id") for one in foreign_told()], "npm's eventsource has the last one", 30,
                   state=foreign.tail)
    told = foreign_told()
    assert [int(str(one["id"])) for one in told if one["event"] == "message"] == due
    assert connected() == 7


def test_a_hundred_followers_are_told_the_same(daemon: Daemon) -> None:
    append(daemon, count=50)
    with ExitStack() as at_end:
        followers = [at_end.enter_context(Follower(daemon, "/log")) for _ in range(100)]
        for follower in followers:
            follower.wait_caught_up()
        for _ in range(5):
            last = append(daemon, count=20)
        for follower in followers:
            follower.wait_for(lambda told: told[-1].id == str(last), "the last one")
        first = [told for told in followers[0].told if told.event == "message"]
        assert [int(told.id or 0) for told in first] == stored(daemon)
        assert all(follower.messages() == first for follower in followers)


def open_follow(daemon: Daemon, path: str) -> socket.socket:
    """A follow whose reader takes nothing."""
    host, port = daemon.addresses()["http"].split(":")
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect((host, int(port)))
    connection.sendall(f"GET {path} HTTP/1.1\r\nhost: localhost\r\naccept: {EVENTS}\r\n\r\n".encode())
    return connection


def resident(daemon: Daemon) -> int:
    """The daemon's resident memory, in bytes."""
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    return 1024 * int(status.split("VmRSS:")[1].split()[0])


def test_readers_that_stand_still_cost_little_and_harm_nobody(daemon: Daemon, tmp_path: Path) -> None:
    assert daemon.run("import", generated_events(tmp_path, 20_000)).returncode == 0
    with Follower(daemon, "/log") as reader:
        reader.wait_caught_up()
        history = sum(len(told.data) for told in reader.told)
        assert history > 6 * MIB
        before = resident(daemon)
        stalled = [open_follow(daemon, "/log") for _ in range(60)]
        for connection in stalled:
            assert connection.recv(15, socket.MSG_PEEK) == b"HTTP/1.1 200 OK"
        started = time.monotonic()
        for _ in range(20):
            last = append(daemon)
            reader.wait_for(lambda told: told[-1].id == str(last), "what comes", 5)
        assert time.monotonic() - started < 10
        grown = resident(daemon) - before
        assert grown < 128 * MIB, f"{grown} bytes for 60 readers of {history}"
        started = time.monotonic()
        assert daemon.stop(25) == 0, daemon.process.tail()
        assert time.monotonic() - started < 22
        for connection in stalled:
            connection.close()


def test_a_graceful_stop_ends_follows_and_long_polls(daemon: Daemon) -> None:
    append(daemon)
    wait_until(lambda: daemon.contract("bank.accounts.v1")["sequence"] == 1, "it has crossed")
    follows = ["/log", "/log?category=account", "/streams/account-5", "/public/bank.accounts.v1"]
    polls = ["/log?after=head&wait=60", "/streams/account-5?from=2&wait=60", "/public/bank.accounts.v1?after=head&wait=60"]
    asked = [(path, EVENTS) for path in follows] + [(path, BATCH) for path in polls]
    host, port = daemon.addresses()["http"].split(":")
    with ExitStack() as at_end:
        open_now = []
        for path, accept in asked:
            connection = at_end.enter_context(socket.create_connection((host, int(port)), timeout=30))
            # Both requests come in one piece: when the first is answered, the second is there.
            first = "GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n"
            connection.sendall(f"{first}GET {path} HTTP/1.1\r\nhost: localhost\r\naccept: {accept}\r\n\r\n".encode())
            received = b""
            while b"ok\n" not in received or (accept == EVENTS and b"caught-up" not in received):
                received += connection.recv(65536)
            open_now.append((path, connection, received.split(b"ok\n", 1)[1]))
        assert daemon.stop(25) == 0, daemon.process.tail()
        for path, connection, received in open_now:
            while piece := connection.recv(65536):
                received += piece
            assert received.startswith(b"HTTP/1.1 200 OK"), (path, received)
            end = b"\r\n\r\n[]" if "wait" in path else b"\r\n0\r\n\r\n"
            assert received.endswith(end), f"{path} is cut off: {received[-80:]!r}"
    assert "cut off" not in daemon.log.read_text()


def test_a_long_poll_answers_at_once_or_waits(daemon: Daemon) -> None:
    first = append(daemon)
    started = time.monotonic()
    answer = get(daemon, "/log?wait=30")
    assert [one["position"] for one in answer.json()["events"]] == [first] and time.monotonic() - started < 5
    assert "wait=30" in answer.json()["next"], "who polls goes on, though nothing more is there"

    came: list[tuple[str, dict[str, object]]] = []

    def poll(path: str) -> None:
        came.append((path, get(daemon, path).json()))

    waiting = [links(answer)["next"], "/streams/account-5?from=2&wait=30", f"/log?after={first}&category=account&wait=30"]
    polls = [threading.Thread(target=poll, args=(path,)) for path in waiting]
    for one in polls:
        one.start()
    append(daemon, "6")
    client = daemon.http("POST", "/streams/account-5", deposit("5")).json()["position"]
    for one in polls:
        one.join(20)
    assert len(came) == 3
    assert all(told["events"] for _, told in came) and time.monotonic() - started < 15
    by_path = dict(came)
    assert [one["position"] for one in by_path[waiting[1]]["events"]] == [client]  # type: ignore[attr-defined,index]

    started = time.monotonic()
    empty = get(daemon, f"/log?after={client}&category=nothing&wait=1")
    assert 0.9 < time.monotonic() - started < 5
    assert empty.json()["events"] == [] and empty.json()["through"] == client and "next" in empty.json()
    assert daemon.http("HEAD", f"/log?after={client}&wait=60").status == 200, "who only asks for headers does not wait"


@pytest.mark.parametrize(("path", "headers", "status", "problem"), [
    ("/log?limit=3", {}, 400, "malformed-query"), ("/log?wait=3", {}, 400, "malformed-query"),
    ("/log?direction=backwards", {}, 400, "malformed-query"), ("/streams/account-5?limit=1", {}, 400, "malformed-query"),
    ("/log", {"last-event-id": "x"}, 400, "malformed"), ("/log", {"last-event-id": "99999"}, 409, "another-history"),
    ("/streams/account-5", {"last-event-id": "99999"}, 409, "another-history"),
    ("/public/bank.accounts.v1", {"last-event-id": "99999"}, 409, "another-history"),
    ("/public/bank.accounts.v1?limit=1", {}, 400, "malformed-query"),
])
def test_what_cannot_be_followed_is_refused(daemon: Daemon, path: str, headers: dict[str, str], status: int, problem: str) -> None:
    append(daemon)
    answer = get(daemon, path, EVENTS, **headers)
    assert (answer.status, answer.json()["type"]) == (status, f"urn:horizon:problem:{problem}"), answer


def test_who_has_read_what_a_restore_undid_is_told(daemon: Daemon) -> None:
    kept = append(daemon, count=2)
    assert daemon.run("backup", daemon.folder / "backups").returncode == 0
    common = kept
    lost = append(daemon, count=3)
    assert daemon.stop() == 0
    done = daemon.run("--version")
    assert done.returncode == 0 or done.returncode == 2
    restored = daemon.folder / "restored"
    command = [str(daemon.binary), "restore", str(daemon.folder / "backups"), str(restored)]
    assert Process(command, daemon.folder / "restore.log").wait(60) == 0
    daemon.env["HORIZON_DATA"] = str(restored)
    daemon.start()
    late = append(daemon)
    assert late > RESTORED
    for accept in (EVENTS, BATCH):
        for place in (lost, lost - 1):
            answer = get(daemon, f"/log?after={place}", accept)
            told = answer.json()
            assert answer.status == 409 and told["type"].endswith("another-history") and told["resumeAfter"] == common, told
            assert str(common) in told["mend"]
        assert get(daemon, f"/log?after={common}&epoch=0", accept).json()["type"].endswith("another-epoch")
    with Follower(daemon, "/log", str(common)) as follower:
        follower.wait_caught_up()
    assert [(told.event, told.json().get("epoch")) for told in follower.told[:2]] == [("epoch", 16), ("message", None)]
    assert follower.places() == [late] and follower.told[0].id is None


def test_a_public_follow_tells_of_a_new_epoch_too(daemon: Daemon) -> None:
    append(daemon)
    wait_until(lambda: daemon.contract("bank.accounts.v1")["sequence"] == 1, "it has crossed")
    assert daemon.stop() == 0
    command = [str(daemon.binary), "new-epoch", str(daemon.folder / "data"), "--reason", "tried"]
    assert Process(command, daemon.folder / "epoch.log").wait(60) == 0
    daemon.start()
    append(daemon)
    with Follower(daemon, "/public/bank.accounts.v1") as follower:
        follower.wait_for(lambda told: len([one for one in told if one.event == "message"]) == 2, "both")
        follower.wait_caught_up()
    assert follower.places() == [1, EPOCH + 1]
    epochs = [told for told in follower.told if told.event == "epoch"]
    assert [told.json() for told in epochs] == [{"epoch": 1}], "nothing but its number"
    assert get(daemon, f"/public/bank.accounts.v1?after={EPOCH}").json()["resumeAfter"] == 1


def _silent(told: list[Told]) -> Iterator[Told]:
    return itertools.filterfalse(lambda one: one.event == "message", told)


def test_an_event_on_several_lines_is_one_event(lone_daemon: Daemon) -> None:
    lone_daemon.env["HORIZON_EVENTS_WITHOUT_SCHEMA"] = "accept"
    lone_daemon.start()
    text = json.dumps(event("Noted", {"text": "a\r\nb\u2028c\x85", "n": 7}), indent=2).replace("\n", "\r\n").replace("7", "7.00")
    assert lone_daemon.http("POST", "/streams/note-1", text.encode()).status == 201
    with Follower(lone_daemon, "/log") as follower:
        follower.wait_caught_up()
    (told,) = follower.messages()
    assert told.json()["data"] == {"text": "a\r\nb\u2028c\x85", "n": 7} and "7.00" in told.data
    assert [one.event for one in _silent(follower.told)] == ["caught-up"]
