"""Requests and results of reviewers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from brightline.errors import NotThisGateway
from brightline.v1 import audit_pb2

Effects: TypeAlias = Literal["", "allow", "require_approval", "deny"]


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordFilter:
    """Selects records that match every given field. Words are those of the record (see the auditor's guide).

    from_us (inclusive), until_us (exclusive): microseconds since 1970 UTC; 0 for no bound.
    """

    tenant: str = ""
    subject: str = ""
    rule: str = ""
    effect: Effects = ""
    kind: str = ""
    outcome: str = ""
    reason: str = ""
    decision_id: str = ""
    from_us: int = 0
    until_us: int = 0

    def message(self) -> audit_pb2.RecordFilter:
        """The filter as a message. Raises ValueError."""
        names = ("tenant", "subject", "rule", "kind", "outcome", "reason", "decision_id", "from_us", "until_us")
        effect = f"EFFECT_{self.effect.upper() or 'UNSPECIFIED'}"
        return audit_pb2.RecordFilter(effect=effect, **{name: getattr(self, name) for name in names})


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A record of the log. json: the bytes that are hashed into the tree. index: its position in the log `origin`."""

    origin: str
    index: int
    json: bytes

    @property
    def record(self) -> dict[str, Any]:
        """The parsed record. Raises NotThisGateway."""
        try:
            value = json.loads(self.json)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise NotThisGateway(f"record {self.index} is no JSON object")
        return value


@dataclass(frozen=True, slots=True)
class RecordPage:
    """A page of records, newest first.

    decision_id: of the record of this call. next_page_token: empty on the last page.
    """

    decision_id: str
    records: tuple[LogRecord, ...]
    next_page_token: str


class Pages:
    """The page tokens of one listing. A repeated token is refused, because the listing would never end."""

    def __init__(self) -> None:
        self._given: set[str] = set()

    def after(self, page: RecordPage) -> str:
        """The token of the next page; empty at the end. Raises NotThisGateway."""
        token = page.next_page_token
        if token in self._given:
            raise NotThisGateway("the page names as the next one a page that was there already")
        self._given.add(token)
        return token


@dataclass(frozen=True, slots=True)
class ProvedRecord:
    """A record and its proof (C2SP tlog-proof). The proof is empty until a checkpoint covers the record."""

    record: LogRecord
    proof: bytes


@dataclass(frozen=True, slots=True)
class Watched:
    """A new record, and the cursor for resuming the watch. The first event has no record."""

    record: LogRecord | None
    cursor: str


def page(message: audit_pb2.SearchResponse) -> RecordPage:
    """A page."""
    return RecordPage(message.decision_id, records(message.records), message.next_page_token)


def records(messages: Iterable[audit_pb2.LogRecord]) -> tuple[LogRecord, ...]:
    """Records, in the gateway's order."""
    return tuple(record(message) for message in messages)


def proved(message: audit_pb2.ProveResponse) -> tuple[ProvedRecord, ...]:
    """Records with their proofs, in the order of the log."""
    return tuple(ProvedRecord(record(one.record), one.proof) for one in message.records)


def watched(message: audit_pb2.WatchResponse) -> Watched:
    """An event of a watch."""
    return Watched(record(message.record) if message.HasField("record") else None, message.cursor)


def record(message: audit_pb2.LogRecord) -> LogRecord:
    """A record."""
    return LogRecord(message.origin, message.index, message.json)
