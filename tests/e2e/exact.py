"""JSON whose numbers keep the text that they were written with: `700.0` is not `700`."""

from __future__ import annotations

import json
from typing import Any


class Number(str):
    """The text of a JSON number."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Number) and str.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__

    def __repr__(self) -> str:
        return str(self)


def loads(text: str | bytes) -> Any:
    """Parses JSON; every number becomes a `Number`, and a key that occurs twice is an error."""
    return json.loads(text, parse_float=Number, parse_int=Number, object_pairs_hook=_no_repeats)


def dumps(value: Any) -> str:
    """Writes JSON; the text of a `Number` is written as it is."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name)}:{dumps(member)}" for name, member in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(dumps, value)) + "]"
    return json.dumps(value)


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError(f"a member occurs twice among {[name for name, _ in pairs]}")
    return members
