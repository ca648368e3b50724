"""What schemathesis is told before each request (SCHEMATHESIS_HOOKS): what the description cannot say, and what would do harm.

Backups and exports are written where an order says, anywhere on the machine that the daemon may write: here below one folder only.
"""

from __future__ import annotations

import os
import re
from hashlib import sha256
from pathlib import Path
from typing import Any

import schemathesis

_FOLDER = Path(os.environ["HORIZON_WRITES_BELOW"])
_PLACES = {"/backups": "folder", "/exports": "file"}
_ETAG = re.compile(r'^(\*|(W/)?"[!#-~]*")$')
_NAMES = {"stream": "account-1", "contract": "bank.accounts.v1", "address": "bank.accounts/credited.v1.json"}
_PLACES_OF_EVENTS = {"revision": ("1", "2", "last"), "sequence": ("1", "2", "3")}
_HEADER = re.compile("^if-(none-)?match$", re.IGNORECASE)


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: dict[str, Any]) -> None:
    """Changes a request before it is sent."""
    member = _PLACES.get(case.operation.path)
    if member:
        case.body = _below(case.body, member)
    _wait_briefly(case.query or {})
    # What breaks a rule on purpose is left as it is.
    if case.meta and case.meta.generation.mode.is_negative:
        return
    _ask_for_what_there_is(case)
    if case.operation.path == "/streams/{stream}":
        _expect_once(case)
    if case.operation.path == "/parked":
        _ask_as_pages_do(case.query or {})
    if case.operation.path in ("/streams/{stream}", "/log", "/public/{contract}"):
        _read_one_way(case.query or {})


def _below(body: Any, member: str) -> Any:
    """The order with its place below the folder; what may be read as an order in another way is none."""
    if not isinstance(body, dict):
        return [] if isinstance(body, (str, bytes)) else body
    place = body.get(member)
    if isinstance(place, str) and place.startswith("/"):
        return body | {member: str(_FOLDER / sha256(place.encode(errors="replace")).hexdigest()[:16])}
    return body


def _expect_once(case: Any) -> None:
    """What is expected is said once, which OpenAPI cannot say of headers; and schemathesis makes up ETags, whatever their pattern."""
    names = [name for name in case.headers or {} if _HEADER.match(name)]
    in_body = isinstance(case.body, dict) and "expectedRevision" in case.body
    for name in names[0 if in_body else 1:]:
        del case.headers[name]
    for name in names[:0 if in_body else 1]:
        if name.lower() == "if-match" and not _ETAG.match(case.headers[name]):
            case.headers[name] = '"0-1"'


def _ask_as_pages_do(query: dict[str, Any]) -> None:
    """An outlet is one of a contract, and `after` is taken from the page before."""
    query.pop("after", None)
    if "contract" not in query:
        query.pop("outlet", None)


def _read_one_way(query: dict[str, Any]) -> None:
    """Pages go one way, from one beginning, in the epoch that there is."""
    query.pop("epoch", None)
    if query.get("direction") == "backwards":
        for name in ("after", "since", "wait"):
            query.pop(name, None)
    else:
        query.pop("before", None)
    if "after" in query:
        query.pop("since", None)


def _wait_briefly(query: dict[str, Any]) -> None:
    """Nobody waits long for what does not come."""
    if re.fullmatch("[0-9]{1,2}", str(query.get("wait"))) and 1 < int(query["wait"]) <= 60:
        query["wait"] = 1


def _ask_for_what_there_is(case: Any) -> None:
    """Every other name is that of something that there is: names that are made up are never those."""
    parameters = case.path_parameters or {}
    if case.operation.method.upper() != "GET" or len(str(parameters)) % 2:
        return
    for name in parameters:
        if name in _NAMES:
            parameters[name] = _NAMES[name]
        if name in _PLACES_OF_EVENTS:
            parameters[name] = _PLACES_OF_EVENTS[name][len(str(parameters[name])) % 3]
