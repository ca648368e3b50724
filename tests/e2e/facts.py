"""Private events made by hand, for tests that need one of a kind."""

from __future__ import annotations

from itertools import count
from typing import Any

_numbers = count(1)

Event = dict[str, Any]


def event(event_type: str, data: dict[str, Any], event_id: str | None = None) -> Event:
    """An event with an id of its own."""
    return {"id": event_id or f"made-{next(_numbers)}", "type": event_type, "time": "2026-01-31T12:00:00Z", "data": data}


def movement(event_type: str, account: str, amount: float, **more: Any) -> Event:
    """A movement of money."""
    number = f"t{next(_numbers)}"
    return event(event_type, {"transactionId": number, "accountId": account, "amount": amount, "currency": "CZK",
                              "balance": 100.5, **more})


def deposit(account: str, amount: float = 12.5) -> Event:
    """Crosses in bank.accounts as credited; unmatched in bank.lending; a violation when the amount is nothing."""
    return movement("CashDeposited", account, amount)


def small_interest(account: str) -> Event:
    """Filtered in bank.accounts."""
    return movement("InterestCredited", account, 0.4, purpose="interest")


def loan_payment(account: str) -> Event:
    """Crosses in both contracts."""
    return movement("TransferSent", account, 500.0, purpose="loan-payment", counterparty={"bank": "AB", "account": "1"})


def card(account: str) -> Event:
    """Unmatched in both contracts."""
    return event("CardIssued", {"cardId": "c1", "accountId": account, "level": "gold"})
