"""Searches records, newest first, in one log or the union of several.

An index says where to look. Records that are not indexed yet are scanned one by one, so that a search sees every
durable record. Each result is read from the log and compared with the filter before it is returned.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import orjson

from gateway.audit.filter import Filter
from gateway.audit.index import Index
from gateway.audit.reader import Leaf, Reader

MOST_RECORDS: Final = 500
MOST_BYTES: Final = 1 << 20
"""A page ends before it exceeds this or MOST_RECORDS. A single record always fits."""
_AT_ONCE: Final = 500

Position: TypeAlias = Mapping[str, int]
"""For each log, the index below which the next page begins."""


@dataclass(frozen=True, slots=True)
class Found:
    """A record: its bytes as written, and its content."""

    origin: str
    index: int
    leaf: bytes
    record: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """The records found. rest: where the next page begins; None if there are no more."""

    found: tuple[Found, ...]
    rest: Position | None


@dataclass(frozen=True, slots=True)
class Place:
    """A log and its index, or None. unindexed: how many records are scanned without an index."""

    reader: Reader
    index: Index | None
    unindexed: int | None = None


class BehindError(Exception):
    """Too many records are not indexed yet to scan them."""

    def __init__(self, indexed: int, size: int) -> None:
        super().__init__(f"{indexed} of {size} records are in the index")


def page(places: Sequence[Place], looked_for: Filter, start: Position | None = None, most: int = MOST_RECORDS) -> Page:
    """The newest matching records, from `start` on. Raises BehindError, StaleError, UnreadableError."""
    position = dict(start) if start is not None else {p.reader.origin: p.reader.size() for p in places}
    found: list[Found] = []
    size = 0
    each = (newest(place, looked_for, position.get(place.reader.origin, 0)) for place in places)
    for one in heapq.merge(*each, key=lambda f: -int(f.record["time_us"])):
        size += len(one.leaf)
        if len(found) == most or (found and size > MOST_BYTES):
            return Page(tuple(found), position)
        found.append(one)
        position[one.origin] = one.index
    return Page(tuple(found), None)


def newest(place: Place, looked_for: Filter, below: int) -> Iterator[Found]:
    """The matching records of a log below the index `below`, newest first. Raises as `page` does."""
    for index, leaf in _candidates(place, looked_for, below):
        record = said(leaf)
        if looked_for.fits(record):
            yield Found(place.reader.origin, index, leaf, record)


def said(leaf: bytes) -> dict[str, Any]:
    """The content of a record; empty if it is malformed."""
    try:
        value = orjson.loads(leaf)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def _candidates(place: Place, looked_for: Filter, below: int) -> Iterator[Leaf]:
    reader, index = place.reader, place.index
    if looked_for.decision_id:
        found = reader.of_decision(looked_for.decision_id, looked_for.tenant or None)
        yield from ((i, leaf) for i, leaf in reversed(found) if i < below)
        return
    indexed = index.size if index else 0
    if place.unindexed is not None and below - indexed > place.unindexed:
        raise BehindError(indexed, below)
    for end in range(below, indexed, -_AT_ONCE):
        yield from reversed(reader.leaves(max(indexed, end - _AT_ONCE), end))
    for i in index.newest(looked_for, below) if index else ():
        if leaf := reader.at(i):
            yield i, leaf
