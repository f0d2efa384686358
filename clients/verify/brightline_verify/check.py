"""Checks a batch of records: canonical form, fields, hashes, times, and pairs of intent and outcome.

A record has to be canonical JSON with the fields of its kind. A record of unknown shape is parsed, serialised again and
compared. For a known shape, matching a pattern suffices (see fields).
"""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import sub
from typing import Any, Final, TypeAlias

from brightline_verify.fields import FieldError
from brightline_verify.merkle import leaf_hash
from brightline_verify.record import MAX_BYTES, Kind, pattern

TOLERANCE_US: Final = 10_000_000
"""How much older than an earlier record a record may be: a trusted clock may be off by 5 s in either direction."""
_LEARN_AFTER: Final = 8
_MOST_SHAPES: Final = 512
_MOST_SEEN: Final = 4096
_MOST_TOLD: Final = 200
_NO_CONTROL: Final = bytes(max(byte, 32) for byte in range(256))
_TOGETHER: Final = 64
SECOND: Final = "a second intent of the same decision"
NOT_HASHED: Final = "the record is not the one that was hashed into the tree"
OLDER: Final = "the record is older than the ones before it"
_INTENT: Final[str] = Kind.INTENT.value
_OUTCOME: Final[str] = Kind.OUTCOME.value
"""Plain strings, which compare faster."""
_again = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode

Columns: TypeAlias = tuple[str, str, int, str, str | None]
"""Decision id, kind, time, tenant and idempotency key, as a database repeats them beside a record."""


class BadRecordError(ValueError):
    """The record is not canonical, or not of this format."""


@dataclass(frozen=True, slots=True)
class Bad:
    """A faulty record of a batch. at: its position in the batch."""

    at: int
    decision_id: str
    what: str


@dataclass(slots=True)
class Part:
    """The result for a batch. Positions count from its start, and nothing is known after `bad`.

    hashes: of the leaves, joined; one more than `count` if a record is bad.
    ids: of all records but outcomes, 16 bytes each, joined.
    opened: intents without an outcome in the batch. closed: outcomes without an intent in the batch.
    lows: records older than all before them, with time and decision id. times: of all records, in order.
    gap_us, gap_at: the longest time between two neighbours, and the position of the later one.
    """

    count: int = 0
    hashes: bytes = b""
    ids: bytes = b""
    opened: dict[str, int] = field(default_factory=dict)
    closed: list[tuple[str, int]] = field(default_factory=list)
    lows: list[tuple[int, int, str]] = field(default_factory=list)
    times: array[int] = field(default_factory=lambda: array("q"))
    first_us: int = 0
    last_us: int = 0
    latest_us: int = 0
    gap_us: int = 0
    gap_at: int = 0
    bad: Bad | None = None

    def found(self, at: int, decision_id: str, what: str) -> None:
        """Note a fault. The earliest one counts."""
        if self.bad is None or at < self.bad.at:
            self.bad = Bad(at, decision_id, what)


_Facts: TypeAlias = tuple[str, str, int]
"""Kind, decision id and time of a record."""


class _Shape:
    """A shape that was seen often. A record that matches its pattern is valid."""

    __slots__ = ("kind", "match", "names")

    def __init__(self, kind: str, pattern: bytes) -> None:
        compiled = re.compile(pattern)
        self.kind = kind
        self.match = compiled.fullmatch
        self.names = tuple(compiled.groupindex)  # in the order of keys: decision_id is first, time_us last


class Checker:
    """Checks batches, and gets faster as it learns shapes."""

    def __init__(self) -> None:
        self._shapes: list[_Shape] = []
        self._by_length: dict[int, _Shape] = {}
        self._seen: dict[bytes, int] = {}

    def check(self, leaves: Sequence[bytes], columns: Sequence[Columns] | None = None) -> Part:
        """Check consecutive records. columns: the columns that a database stores beside each, which have to agree."""
        part = Part()
        facts = self._facts(part, leaves, columns)
        part.count = len(facts)
        part.hashes = b"".join(map(leaf_hash, leaves[: part.count + 1]))
        _pair(part, facts)
        _order(part, facts)
        return part

    def _facts(self, part: Part, leaves: Sequence[bytes], columns: Sequence[Columns] | None) -> list[_Facts]:
        facts: list[_Facts] = []
        known = self._by_length
        for start in range(0, len(leaves), _TOGETHER):
            some = leaves[start : start + _TOGETHER]
            # If the joined records are plain, so is each: no pattern begins or ends within a character.
            quick = columns is None and is_plain(b"".join(some))
            for at, leaf in enumerate(some, start):
                if quick and (shape := known.get(len(leaf))) and (match := shape.match(leaf)):
                    groups = match.groups()
                    facts.append((shape.kind, groups[0].decode(), int(groups[-1])))
                    continue
                said = self._compared(part, at, leaf, None if columns is None else columns[at])
                if said is None:
                    return facts
                facts.append((said[1], said[0], said[2]))
        return facts

    def _compared(self, part: Part, at: int, leaf: bytes, stored: Columns | None) -> Columns | None:
        """The columns of a record; None if it is bad or the stored columns differ, which is noted in `part`."""
        try:
            said = self.read(leaf)
        except BadRecordError as error:
            part.found(at, str(stored[0]) if stored else "", str(error))
            return None
        if stored not in (None, said):
            part.found(at, said[0], "the columns beside the record say something else than the record")
            return None
        return said

    def read(self, leaf: bytes) -> Columns:
        """The columns of a single record. Raises BadRecordError."""
        plain, size = is_plain(leaf), len(leaf)
        if size > MAX_BYTES:
            raise BadRecordError(f"the record has {size} bytes; at most {MAX_BYTES} are allowed")
        if plain:
            guess = self._by_length.get(size)
            for shape in (*([guess] if guess else ()), *self._shapes):
                if match := shape.match(leaf):
                    self._by_length[size] = shape
                    return _told(shape, match.groups())
        value, shape_pattern = _parsed(leaf)
        if plain:
            self._learn(value["kind"], shape_pattern)
        principal = value.get("principal")
        tenant = principal["tenant"] if principal else ""
        return value["decision_id"], value["kind"], value["time_us"], tenant, value.get("idempotency_key")

    def _learn(self, kind: str, shape_pattern: bytes) -> None:
        if len(self._seen) == _MOST_SEEN:
            self._seen.clear()
        times = self._seen[shape_pattern] = self._seen.get(shape_pattern, 0) + 1
        if times == _LEARN_AFTER and len(self._shapes) < _MOST_SHAPES:
            self._shapes.append(_Shape(kind, shape_pattern))


def is_early(signed: Mapping[str, int], time_us: int) -> bool:
    """Whether a witness signed, by these times in seconds, before a record of that time existed."""
    return any(time_s * 1_000_000 < time_us - TOLERANCE_US for time_s in signed.values())


def is_plain(text: bytes) -> bool:
    """Whether this is UTF-8 without backslashes and control characters, for which patterns are valid."""
    if b"\\" in text or text.translate(_NO_CONTROL) != text:
        return False
    try:
        return text.isascii() or bool(text.decode())
    except UnicodeDecodeError:
        return False


def _told(shape: _Shape, groups: Sequence[bytes]) -> Columns:
    values = {name: group.decode() for name, group in zip(shape.names, groups, strict=True)}
    key = values.get("idempotency_key")
    return values["decision_id"], shape.kind, int(values["time_us"]), values.get("tenant", ""), key


def _parsed(leaf: bytes) -> tuple[dict[str, Any], bytes]:
    """The parsed record and the pattern of its shape, without a known pattern. Raises BadRecordError."""
    try:
        value = json.loads(leaf.decode())
        if _again(value).encode() != leaf:
            raise BadRecordError("the record is not canonical JSON")
        return value, pattern(value)
    except FieldError as error:
        raise BadRecordError(f"the record is malformed: {str(error)[:_MOST_TOLD]}") from error
    except RecursionError as error:
        raise BadRecordError("the record is malformed: nested too deeply") from error
    except ValueError as error:
        if isinstance(error, BadRecordError):
            raise
        raise BadRecordError("the record is not canonical JSON: no JSON at all, or not UTF-8") from error


def _pair(part: Part, facts: Sequence[_Facts]) -> None:
    ids: list[str] = []
    opened = part.opened
    for at, (kind, decision_id, _) in enumerate(facts):
        if kind == _OUTCOME:
            if opened.pop(decision_id, None) is None:
                part.closed.append((decision_id, at))
            continue
        ids.append(decision_id)
        if kind == _INTENT:
            if decision_id in opened:
                part.found(at, decision_id, SECOND)
            opened[decision_id] = at
    part.ids = bytes.fromhex("".join(ids))


def _order(part: Part, facts: Sequence[_Facts]) -> None:
    if not facts:
        return
    times = [time_us for _, _, time_us in facts]
    part.times = array("q", times)
    part.first_us, part.last_us, part.latest_us = times[0], times[-1], max(times)
    part.lows.append((0, times[0], facts[0][1]))
    gaps = [0, *map(sub, times[1:], times)]
    part.gap_us = max(gaps)
    part.gap_at = gaps.index(part.gap_us)
    if min(gaps) < 0:
        _back(part, facts)


def _back(part: Part, facts: Sequence[_Facts]) -> None:
    """Note the records that are older than others before them."""
    lowest = latest = facts[0][2]
    for at, (_, decision_id, time_us) in enumerate(facts):
        if time_us < lowest:
            lowest = time_us
            part.lows.append((at, time_us, decision_id))
        latest = max(latest, time_us)
        if time_us < latest - TOLERANCE_US:
            part.found(at, decision_id, OLDER)
