"""The clients that integrators copy from: each event once, through restarts of everything; no gap told where none is, and each that is.

All four go through one story together; each test looks at what one of them made of it.
"""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import exact
import pika
import pytest
from chaos import split
from clients import CLIENTS, EXCHANGE, PASSWORD, Client, copied_out, give_rights
from facts import Event, deposit
from judges import Arrival, read
from oracle import ACCOUNTS, Expected, forecast, read_events
from paho.mqtt.client import MQTTv5
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.publish import multiple as publish
from places import REPOSITORY, generated_events
from rack import Brokers, Rack, rack_on, wait_different
from rig.brokers import Mosquitto, RabbitMq
from rig.consumers.mqtt import new_client
from rig.ports import LOOPBACK
from rig.waiting import wait_until

pytestmark = pytest.mark.timeout(420)
EVENTS = 900
CREDITED = "example.bank.account.credited.v1"
KNOWN, MISSED_FROM_THE_FIRST, NOT_MISSED = "1", "came-meanwhile", "came-later"
NO_EVENT = b'{"specversion": "1.0", "id": "1", "data": "neither source nor type"}'
STRUCTURED = "application/cloudevents+json; charset=utf-8"
NEW_EPOCH = 16 * 2**40
NAMES = ("python-mqtt", "python-amqp", "javascript-mqtt", "javascript-amqp")


@dataclass
class Story:
    """What there was to receive, and who was there."""

    rack: Rack
    clients: list[Client]
    private: list[Path]
    missed: list[Arrival] = field(default_factory=list)
    dead_letters: dict[str, bytes] = field(default_factory=dict)

    def due(self, client: Client) -> list[Expected]:
        """The events that a client must have processed."""
        events = [event for path in self.private for event in read_events(path)]
        return [e for e in forecast(events).public[ACCOUNTS] if client.language == "python" or e.rule.type == CREDITED]

    def import_while(self, part: Path, meanwhile: Callable[[], None]) -> None:
        """Imports a part; something happens as soon as its first events arrive. Then imports it again, should that have failed."""
        before = self.rack.mqtt.count()
        command, env = self.rack.daemon.command("import", part), self.rack.daemon.environment()
        running = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: self.rack.mqtt.count() > before, f"{part.name} begins to arrive", 30, 0.002)
            meanwhile()
            running.wait(60)
        finally:
            running.kill()
            running.wait()
        self.rack.import_file(part)

    def append(self, account: str, event: Event) -> None:
        """Appends one event, and adds it to what is due."""
        answer = self.rack.daemon.http("POST", f"/streams/account-{account}", event)
        assert answer.status == 201, answer.body
        path = self.rack.folder / f"{event['id']}.jsonl"
        path.write_text(json.dumps(event))
        self.private.append(path)

    def wait_processed(self) -> None:
        """Waits until every client has processed as many events as are due to it."""
        self.rack.wait_settled()
        for client in self.clients:
            wait_until(lambda client=client: len(client.inbox()) >= len(self.due(client)), f"{client.name} has all", 60,
                       state=lambda client=client: (len(client.inbox()), len(self.due(client)), client.lines()[-5:]))


def through_restarts(story: Story) -> None:
    """The daemon is killed three times, each client is stopped once and killed once, both brokers are restarted."""
    def restart_daemon() -> None:
        story.rack.daemon.kill()
        story.rack.daemon.start()

    def stop_clients() -> None:
        restart_daemon()
        for client in story.clients:
            client.stop()
            client.start()

    def kill_clients() -> None:
        restart_daemon()
        for client in story.clients:
            client.kill()
            client.start()

    def restart_brokers() -> None:
        story.rack.brokers.mosquitto.stop()
        story.rack.brokers.rabbitmq.kill()
        story.rack.brokers.mosquitto.start()
        story.rack.brokers.rabbitmq.start()

    parts = split(generated_events(story.rack.folder, EVENTS), 4, story.rack.folder)
    for part, meanwhile in zip(parts, (restart_daemon, stop_clients, kill_clients, restart_brokers), strict=True):
        story.import_while(part, meanwhile)
    story.private += parts
    story.wait_processed()


def while_unsubscribed(story: Story) -> None:
    """Events that no client can know of, and later ones of the same keys. What was missed is no longer due."""
    for client in story.clients:
        client.stop()
        forget(story.rack.brokers, client)
    due = list(story.private)
    for key in (KNOWN, MISSED_FROM_THE_FIRST):
        story.append(key, deposit(key))
    wait_different(story.rack.amqp, forecast(event for path in story.private for event in read_events(path)).count())
    before = {a.identity for a in read(story.rack.amqp.messages(), repeats_allowed=True).first}
    story.private = due
    for client in story.clients:
        client.start()
    for key in (KNOWN, MISSED_FROM_THE_FIRST, NOT_MISSED):
        story.append(key, deposit(key))
        story.append(key, deposit(key))
    story.wait_processed()
    processed = {(e["source"], e["id"]) for e in story.clients[1].inbox()}
    arrived = read(story.rack.amqp.messages(), repeats_allowed=True).first
    story.missed = [a for a in arrived if a.stream == ACCOUNTS and a.identity in before and a.identity not in processed]


def after_a_restore(story: Story) -> None:
    """What Horizon sends when its store was restored: an event that was appended again has its old id and a new sequence.

    The one after it comes in binary content mode, as from an outlet that was changed to it.
    """
    def last_arrival() -> Arrival:
        return read(story.rack.amqp.messages(), repeats_allowed=True).by_sequence(ACCOUNTS)[-1]

    crossed = story.rack.daemon.contract(ACCOUNTS)["sequence"]
    wait_until(lambda: last_arrival().sequence == crossed, "the last one has arrived")
    last = last_arrival().event
    assert last["type"] == CREDITED
    again = last | {"sequence": f"{NEW_EPOCH + 1:020}"}
    send(story.rack.brokers, exact.dumps(again).encode(), STRUCTURED, {})
    after = last | {"id": "after the restore", "sequence": f"{NEW_EPOCH + 2:020}", "previoussequence": again["sequence"]}
    data = after.pop("data")
    send(story.rack.brokers, exact.dumps(data).encode(), after.pop("datacontenttype"), after)
    story.private.append(story.private[-1])  # `after` says what `last` says
    story.wait_processed()


def what_is_no_event(story: Story) -> None:
    """A message that is no event does not stop anybody."""
    send(story.rack.brokers, NO_EVENT, STRUCTURED, {})
    story.append(KNOWN, deposit(KNOWN))
    story.wait_processed()
    with pika.BlockingConnection(pika.ConnectionParameters(LOOPBACK, story.rack.brokers.rabbitmq.port)) as connection:
        channel = connection.channel()
        for client in story.clients:
            wait_until(lambda client=client: client.said("unreadable"), f"{client.name} says so")
            if client.protocol == "amqp":
                dead = f"{client.name}.dead"
                wait_until(lambda dead=dead: channel.queue_declare(dead, passive=True).method.message_count, f"{dead} has it")
                story.dead_letters[client.name] = channel.basic_get(dead, auto_ack=True)[2]


def send(brokers: Brokers, payload: bytes, content_type: str, attributes: dict[str, str]) -> None:
    """Publishes a message as Horizon would, at a place of `credited`."""
    mark = Properties(PacketTypes.PUBLISH)
    mark.ContentType, mark.UserProperty = content_type, list(attributes.items())
    message = {"topic": "bank/accounts/v1/any/credited", "payload": payload, "qos": 1, "properties": mark}
    publish([message], hostname=LOOPBACK, port=brokers.mosquitto.port, protocol=MQTTv5)
    headers = {f"cloudEvents:{name}": value for name, value in attributes.items()}
    with pika.BlockingConnection(pika.ConnectionParameters(LOOPBACK, brokers.rabbitmq.port)) as connection:
        properties = pika.BasicProperties(content_type=content_type, headers=headers, delivery_mode=2)
        connection.channel().basic_publish(EXCHANGE, "account.credited", payload, properties)


def forget(brokers: Brokers, client: Client) -> None:
    """Takes a client's subscription away."""
    if client.protocol == "amqp":
        with pika.BlockingConnection(pika.ConnectionParameters(LOOPBACK, brokers.rabbitmq.port)) as connection:
            connection.channel().queue_unbind(client.name, EXCHANGE, client.place)
        return
    session = new_client(client.name)
    session.username_pw_set(client.name, PASSWORD)
    session.connect(LOOPBACK, brokers.mosquitto.port, clean_start=True)
    wait_until(lambda: session.loop(0.1) == 0 and session.is_connected(), "the session is ended")
    session.disconnect()
    session.loop(0.1)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """All that happens, once."""
    folder = tmp_path_factory.mktemp("clients")
    brokers = Brokers(Mosquitto(folder, persistence=True), RabbitMq(folder))
    give_rights(folder, brokers)
    with ExitStack() as at_end:
        at_end.callback(brokers.rabbitmq.stop)
        brokers.rabbitmq.start()
        at_end.callback(brokers.mosquitto.stop)
        brokers.mosquitto.start()
        rack = at_end.enter_context(rack_on(folder, brokers))
        story = Story(rack, copied_out(folder / "copied", brokers.mosquitto.port, brokers.rabbitmq.port), [])
        for client in story.clients:
            at_end.callback(client.kill)
            client.start()
        through_restarts(story)
        for client in story.clients:
            assert client.gaps() == [], f"{client.name} tells gaps where there are none"
        while_unsubscribed(story)
        after_a_restore(story)
        what_is_no_event(story)
        for client in story.clients:
            client.stop()
        yield story


@pytest.fixture(params=NAMES)
def client(request: pytest.FixtureRequest, story: Story) -> Client:
    """One of the clients."""
    return next(client for client in story.clients if client.name == request.param)


def test_every_event_is_processed_once_with_what_it_says(story: Story, client: Client) -> None:
    processed = client.inbox()
    assert Counter((e["source"], e["id"]) for e in processed).most_common(1)[0][1] == 1
    due = Counter(said(e.key, e.rule.type, json.loads(exact.dumps(e.data))) for e in story.due(client))
    assert Counter(said(e["partitionkey"], e["type"], e["data"]) for e in processed) == due


def said(key: str, kind: str, data: dict[str, object]) -> tuple[object, ...]:
    """What an event says, for counting. `700` and `700.0` are the same here: the clients' languages write numbers in their own way."""
    return key, kind, *sorted(data.items())


def test_events_of_a_key_are_processed_in_order(client: Client) -> None:
    last: dict[str, str] = {}
    for event in client.inbox():
        assert last.get(event["partitionkey"], "") < event["sequence"], event["id"]
        last[event["partitionkey"]] = event["sequence"]


def test_repeats_came_and_were_told(client: Client) -> None:
    assert client.said("repeat") > 0, "the story has no repeats, and shows nothing about them"


def test_each_gap_is_told_and_no_other(story: Story, client: Client) -> None:
    assert {a.key for a in story.missed} == {KNOWN, MISSED_FROM_THE_FIRST} and len(story.missed) == 2
    told = {(found["source"], found["key"], found["type"], found["previous"]) for found in client.gaps()}
    assert told == {(a.event["source"], a.key, CREDITED, a.event["sequence"]) for a in story.missed}
    assert client.said("gap") == 2, "each once, and nothing that the pattern did not take"


def test_what_is_no_event_is_said_and_kept_where_that_is_possible(story: Story, client: Client) -> None:
    assert client.said("unreadable") == 1
    assert story.dead_letters.get(client.name) == (NO_EVENT if client.protocol == "amqp" else None)


def test_the_clients_are_tested_with_the_packages_that_they_name() -> None:
    tests = REPOSITORY / "tests"
    python = (CLIENTS / "python" / "requirements.txt").read_text().split()
    assert set(python) <= set((tests / "requirements.txt").read_text().split()) and len(python) == 4
    javascript = exact.loads((CLIENTS / "javascript" / "package.json").read_text())["dependencies"]
    assert javascript.items() <= exact.loads((tests / "package.json").read_text())["dependencies"].items() and len(javascript) == 3
