"""The declared use: immutable values, checked when they are constructed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from brightline import _check

Autonomy: TypeAlias = Literal[
    "unspecified", "none", "recommend", "semi_autonomous", "operator_supervised", "autonomous"
]
"""How far the system around the model acts by itself, in the terms of DoDD 3000.09.

none: a person reads the answer and nothing acts on it. recommend: a person decides each action. semi_autonomous:
engages only targets that an operator selected. operator_supervised: selects and engages, and an operator can override.
autonomous: selects and engages without further intervention. unspecified: judged as the worst case.
"""

Involvement: TypeAlias = Literal["unspecified", "yes", "no", "unknown"]
"""Whether a circumstance applies. unspecified and unknown are judged as the worst case."""

DataOrigin: TypeAlias = Literal[
    "unspecified", "agency_records", "public", "commercial", "intelligence", "partner", "synthetic"
]
"""The origin of the data. commercial: bought from a data broker. synthetic: made up for tests."""

Channel: TypeAlias = Literal["unspecified", "internal", "interagency", "public", "foreign", "machine"]
"""Who sees the output. machine: no person; another program acts on it."""

_APPROVAL = re.compile(r"[A-Za-z0-9_-]{0,64}")
_COUNTRY = re.compile(r"[A-Z]{2}")
_LOWER_CASE = "a lower-case word of at most 64 letters, digits and _"
_KEY = "at most 128 letters, digits and _ . : -"


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """The legal or command authority for a request. Raises ValueError.

    kind: for example "statute", "executive_order", "court_order". citation: for example "EO 12333 2.3".
    id: of the order, case or process. not_before_ms, expires_ms: milliseconds since 1970 UTC, 0 for not stated.
    """

    kind: str
    citation: str
    id: str = ""
    not_before_ms: int = 0
    expires_ms: int = 0

    def __post_init__(self) -> None:
        _check.matching("authority.kind", self.kind, _check.PURPOSE, f'{_LOWER_CASE}, like "statute"')
        _check.text("authority.citation", self.citation, 1, 256)
        _check.text("authority.id", self.id, 0, 128)
        _check.integer("authority.not_before_ms", self.not_before_ms, 0)
        _check.integer("authority.expires_ms", self.expires_ms, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A document, assessment or person that proves that a rule's duty is met. Raises ValueError.

    kind: for example "impact_assessment". id: in the agency's own files. expires_ms: milliseconds since 1970 UTC, 0 for
    not stated.
    """

    kind: str
    id: str
    expires_ms: int = 0

    def __post_init__(self) -> None:
        _check.matching("evidence.kind", self.kind, _check.PURPOSE, f'{_LOWER_CASE}, like "impact_assessment"')
        _check.text("evidence.id", self.id, 1, 128)
        _check.integer("evidence.expires_ms", self.expires_ms, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsPerson:
    """Whether US persons are concerned. Raises ValueError.

    basis: with "no", the specific information that people who are or may be in the United States are not US persons.
    The legal basis is the authority. process_id: of the warrant, certification or query approval.
    """

    involved: Involvement = "unspecified"
    basis: str = ""
    process_id: str = ""

    def __post_init__(self) -> None:
        _check.word("us_person.involved", self.involved, get_args(Involvement))
        _check.text("us_person.basis", self.basis, 0, 256)
        _check.text("us_person.process_id", self.process_id, 0, 128)


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """How many persons and records the request concerns; None for not stated. Raises ValueError."""

    persons: int | None = None
    records: int | None = None

    def __post_init__(self) -> None:
        if self.persons is not None:
            _check.integer("volume.persons", self.persons, 0)
        if self.records is not None:
            _check.integer("volume.records", self.records, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """The declared use. Raises ValueError that names the field and what would be accepted.

    purpose: from the agency's closed list, for example "logistics_planning".
    marking: the banner line of the whole request, for example "UNCLASSIFIED".
    geo: the places that the request concerns, as ISO 3166-1 alpha-2 codes.
    approval_id: of an approval that covers this request.
    idempotency_key: a second permitted request with the same key is never forwarded.
    """

    purpose: str
    marking: str
    autonomy: Autonomy = "unspecified"
    authority: Authority | None = None
    evidence: Sequence[Evidence] = ()
    us_person: UsPerson | None = None
    geo: Sequence[str] = ()
    volume: Volume | None = None
    data_origin: DataOrigin = "unspecified"
    channel: Channel = "unspecified"
    approval_id: str = ""
    conversation_id: str = ""
    idempotency_key: str = ""

    def __post_init__(self) -> None:
        _check.matching("use.purpose", self.purpose, _check.PURPOSE, f'{_LOWER_CASE}, like "logistics_planning"')
        _check.text("use.marking", self.marking, 1, 256)
        _check.word("use.autonomy", self.autonomy, get_args(Autonomy))
        _check.instance("use.authority", self.authority, (Authority, type(None)))
        _check.several("use.evidence", self.evidence, 32)
        for index, item in enumerate(self.evidence):
            _check.instance(f"use.evidence[{index}]", item, (Evidence,))
        _check.instance("use.us_person", self.us_person, (UsPerson, type(None)))
        _check.several("use.geo", self.geo, 32)
        for index, code in enumerate(self.geo):
            _check.matching(f"use.geo[{index}]", code, _COUNTRY, 'a two-letter country code in capitals, like "US"')
        _check.instance("use.volume", self.volume, (Volume, type(None)))
        _check.word("use.data_origin", self.data_origin, get_args(DataOrigin))
        _check.word("use.channel", self.channel, get_args(Channel))
        _check.matching("use.approval_id", self.approval_id, _APPROVAL, "at most 64 letters, digits and _ -")
        _check.matching("use.conversation_id", self.conversation_id, _check.KEY, _KEY)
        _check.matching("use.idempotency_key", self.idempotency_key, _check.KEY, _KEY)
        # A tuple, so that what was checked can't change before it is sent.
        object.__setattr__(self, "geo", tuple(self.geo))
        object.__setattr__(self, "evidence", tuple(self.evidence))
