"""A contract whose events are hard to carry, the exact bytes that must arrive of them, and readers in other languages.

What is due is written from what the documents say, and not from what Horizon sends; only the ids, which nobody can compute, are asked for.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rig.daemon import Daemon

STREAM, CATEGORY = "interop.things.v1", "thing"
SOURCE = "//interop.example/things"
STRUCTURED = "application/cloudevents+json; charset=utf-8"
JSON = "application/json"
NONE_BEFORE = "0" * 20
TIME = "2026-01-31T12:00:00.25+01:00"
AMQP_SECONDS = 1_769_857_200
SEEN, LOST = "example.interop.thing.seen.v1", "example.interop.thing.lost.v1"

_SCHEMA = {
    "type": "object",
    "required": ["thingId", "label", "exact"],
    "properties": {
        "thingId": {"type": "string"}, "label": {"type": "string"}, "exact": {"type": "array", "items": {"type": "number"}},
        "nothing": {"type": "null"}, "nested": {"type": "object", "properties": {"deep": {"type": "array", "items": {"type": "string"}}}},
        "urgent": {"type": "boolean"},
    },
}
_CONTRACT = """
horizon: 1
contract: interop.things
version: 1.0.0
team: {{ name: interop, contact: interop@interop.example }}
source: {source}
streams: {{ category: {category} }}
start: beginning
key: .thingId
subject: .label
attributes: {{ urgent: .urgent, priority: {{ const: 5 }} }}
types:
{types}
outlets:
{outlets}
"""
_TYPE = """
  {type}:
    name: {name}
    schema: public/interop.things/{name}.v1.json
    from:
      - event: Thing{Name}
        data: {{ thingId: .thingId, label: .label, exact: .exact, nothing: .nothing, nested: .nested }}
"""
_CONFIG = """
horizon: 1
brokers:
  main: {{ mqtt: {{ host: 127.0.0.1, port: {mqtt} }} }}
  rabbit: {{ amqp: {{ host: 127.0.0.1, port: {amqp} }} }}
"""


@dataclass(frozen=True)
class Thing:
    """A private event, and its data as text."""

    id: str
    type: str
    key: str
    label: str
    exact: str
    urgent: bool = False

    @property
    def name(self) -> str:
        """The public type's name."""
        return self.type.split(".")[-2]

    @property
    def data(self) -> str:
        """The public data, to the byte."""
        return (f'{{"thingId":{text(self.key)},"label":{text(self.label)},"exact":{self.exact},"nothing":null,'
                f'"nested":{{"deep":["ß","\\"","\\\\"]}}}}')

    def private(self) -> str:
        """The private event."""
        data = self.data.removesuffix("}") + f',"urgent":{json.dumps(self.urgent)}}}'
        return f'{{"id":{text(self.id)},"type":"Thing{self.name.title()}","time":"{TIME}","data":{data}}}'


THINGS = (
    Thing("t1", SEEN, "plain-1", "plain", "[1,700.0,0.10]"),
    Thing("t2", SEEN, "Žluťoučký kůň/7+#%", "a \"quoted\" \\ label", "[12345678901234567890,-0.0]", urgent=True),
    Thing("t3", LOST, "plain-1", "日本語 🚲 </script>", "[]"),
    Thing("t4", SEEN, "plain-1", "a:b c=d;e,f%25", "[0.1e-7]"),
)


@dataclass(frozen=True)
class Due:
    """A public event, as it must arrive."""

    attributes: dict[str, Any]
    data: str

    @property
    def structured(self) -> bytes:
        """The payload in structured content mode."""
        members = [f"{text(name)}:{text(value)}" for name, value in self.attributes.items()]
        return ("{" + ",".join([*members, f'"data":{self.data}']) + "}").encode()

    @property
    def texts(self) -> dict[str, str]:
        """Each attribute as text, as headers and user properties have it."""
        return {name: value if isinstance(value, str) else text(value) for name, value in self.attributes.items()}

    @property
    def event(self) -> dict[str, Any]:
        """The event as a library of a language with 64-bit floats reads it."""
        return self.attributes | {"data": json.loads(self.data, parse_int=float)}

    @property
    def name(self) -> str:
        """The public type's name."""
        return self.attributes["type"].split(".")[-2]

    def topic(self, prefix: str) -> str:
        """Where it arrives over MQTT."""
        return f"{prefix}/{quote(self.attributes['partitionkey'], safe='-_~.')}/{self.name}"


def text(value: object) -> str:
    """JSON as Horizon writes it: nothing is escaped that need not be."""
    return json.dumps(value, ensure_ascii=False)


def due(daemon: Daemon) -> list[Due]:
    """The public events in the order of the public log."""
    last: dict[tuple[str, str], str] = {}
    events = []
    for number, thing in enumerate(THINGS, 1):
        [told] = daemon.operator("GET", f"/why/{thing.id}").json()
        [contract] = told["contracts"]
        sequence = f"{number:020}"
        events.append(Due({
            "specversion": "1.0", "id": contract["public"]["id"], "source": SOURCE, "type": thing.type, "subject": thing.label,
            "time": TIME, "datacontenttype": JSON, "dataschema": f"https://interop.example/{thing.name}.v1.json",
            "partitionkey": thing.key, "priority": 5, "urgent": thing.urgent, "sequence": sequence,
            "previoussequence": last.get((thing.key, thing.type), NONE_BEFORE),
        }, thing.data))
        last[thing.key, thing.type] = sequence
    return events


def team(folder: Path, mqtt_port: int, amqp_port: int, outlets: list[str], brokers: str = "") -> Path:
    """Writes the folder of a team with one contract."""
    types = ""
    for kind in (SEEN, LOST):
        name = kind.split(".")[-2]
        types += _TYPE.format(type=kind, name=name, Name=name.title())
        private = folder / "schemas" / "private" / CATEGORY / f"Thing{name.title()}.json"
        public = folder / "schemas" / "public" / "interop.things" / f"{name}.v1.json"
        for path in (private, public):
            path.parent.mkdir(parents=True, exist_ok=True)
        private.write_text(json.dumps(_SCHEMA))
        public.write_text(json.dumps(_SCHEMA | {"$id": f"https://interop.example/{name}.v1.json"}))
    (folder / "contracts").mkdir()
    lines = "\n".join(f"  - {outlet}" for outlet in outlets)
    (folder / "contracts" / "things.yaml").write_text(
        _CONTRACT.format(source=SOURCE, category=CATEGORY, types=types, outlets=lines))
    (folder / "horizon.yaml").write_text(_CONFIG.format(mqtt=mqtt_port, amqp=amqp_port) + brokers)
    return folder
