"""Which public events the bank's private events call for, computed from the events themselves.

This is written from what the contracts mean to say, in Python, and knows neither the contracts' YAML nor Horizon.
"""

from __future__ import annotations

import gzip
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import exact

Data = dict[str, Any]

ACCOUNTS = "bank.accounts.v1"
LENDING = "bank.lending.v1"
STREAMS = (ACCOUNTS, LENDING)
SOURCES = {ACCOUNTS: "//bank.example/accounts/v1", LENDING: "//bank.example/lending/v1"}
SCHEMAS = "https://bank.example/schemas/"


@dataclass(frozen=True)
class Rule:
    """One way for a private event to become a public one."""

    stream: str
    type: str
    name: str
    reshape: Callable[[Data], Data]
    when: Callable[[Data], bool] = lambda _: True

    @property
    def dataschema(self) -> str:
        """The `$id` of its public schema."""
        return f"{SCHEMAS}{self.stream.removesuffix('.v1')}/{self.name}.v1.json"


@dataclass(frozen=True)
class Expected:
    """A public event that must arrive."""

    rule: Rule
    private_id: str
    key: str
    time: str
    data: Data


def _movement(**constants: str) -> Callable[[Data], Data]:
    return lambda d: {"accountId": d["accountId"], "amount": d["amount"], "currency": d["currency"], **constants}


def _credited(origin: str, when: Callable[[Data], bool] = lambda _: True) -> Rule:
    return Rule(ACCOUNTS, "example.bank.account.credited.v1", "credited", _movement(origin=origin), when)


def _debited(means: str) -> Rule:
    return Rule(ACCOUNTS, "example.bank.account.debited.v1", "debited", _movement(means=means))


def _charged(reason: str) -> Rule:
    return Rule(ACCOUNTS, "example.bank.account.charged.v1", "charged", _movement(reason=reason))


RULES: dict[str, list[Rule]] = {
    "AccountOpened": [Rule(ACCOUNTS, "example.bank.account.opened.v1", "opened",
                           lambda d: {"accountId": d["accountId"], "openedOn": d["openedOn"]})],
    "CashDeposited": [_credited("cash")],
    "TransferReceived": [_credited("transfer")],
    "InterestCredited": [_credited("interest", when=lambda d: float(d["amount"]) >= 1)],
    "CashWithdrawn": [_debited("cash")],
    "CardWithdrawn": [_debited("card")],
    "TransferSent": [_debited("transfer"),
                     Rule(LENDING, "example.bank.loan.repaid.v1", "repaid", _movement(),
                          when=lambda d: d.get("purpose") == "loan-payment")],
    "FeeCharged": [_charged("fee")],
    "PenaltyCharged": [_charged("penalty")],
    "LoanGranted": [Rule(LENDING, "example.bank.loan.granted.v1", "granted",
                         lambda d: {"accountId": d["accountId"], "loanId": d["loanId"], "amount": d["amount"],
                                    "currency": d["currency"], "months": d["months"], "instalment": d["payment"]})],
}


@dataclass
class Forecast:
    """All that must come of a file of events."""

    private: int
    public: dict[str, list[Expected]]
    filtered: Counter[str]
    matched: Counter[str]

    def count(self, stream: str | None = None) -> int:
        """How many public events there are, in one stream or in all."""
        return sum(len(events) for name, events in self.public.items() if stream in (None, name))

    def by_key(self, stream: str) -> dict[str, list[Expected]]:
        """The public events of a stream by key, each list in the order of the private events."""
        keys: dict[str, list[Expected]] = defaultdict(list)
        for event in self.public[stream]:
            keys[event.key].append(event)
        return keys


def forecast(events: Iterable[Data]) -> Forecast:
    """Computes what must arrive."""
    result = Forecast(0, {stream: [] for stream in STREAMS}, Counter(), Counter())
    for event in events:
        result.private += 1
        data = event["data"]
        for rule in RULES.get(event["type"], []):
            result.matched[rule.stream] += 1
            if not rule.when(data):
                result.filtered[rule.stream] += 1
                continue
            result.public[rule.stream].append(
                Expected(rule, event["id"], data["accountId"], event["time"], rule.reshape(data)))
    return result


def read_events(path: Path) -> Iterator[Data]:
    """The private events of a file of JSON lines, numbers as text."""
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as source:
        for line in source:
            if line.strip():
                yield exact.loads(line)
