"""Handles a reviewer's call, much as a request is handled. Nothing here touches gRPC.

1 authenticate the reviewer    2 decide from its roles whose records it may read    3 read the request    4 look
5 write the record of the call, durably: nothing of the log leaves before this line
A streaming call has its record when it begins, and gets what the log held for it. The reviewer is authenticated again
at each look, against the release in force at that time.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, TypeVar

from gateway import authentication
from gateway.audit.archive import (
    Archive,
    BehindError,
    NoteError,
    ProofError,
    Proved,
    StaleError,
    UnreadableError,
)
from gateway.audit.call_record import Review
from gateway.audit.filter import Filter
from gateway.audit.page_tokens import PageError
from gateway.audit.search import Found, Page, Position
from gateway.audit.trail import Trail
from gateway.canonical import Json
from gateway.config import Approvals
from gateway.config import Review as Settings
from gateway.errors import GatewayError, Reason
from gateway.fair_queue import FairQueue
from gateway.gate import Gate
from gateway.inforce import InForce
from gateway.types import Call, Principal

T = TypeVar("T")
AT_ONCE: Final = 4
"""Looks at the log at a time. Other looks wait, and tenants take turns. Each look takes a thread and may read a page of
large records."""
LOOKS_EACH: Final = 3
"""The most looks of one tenant at a time."""
STREAMS: Final = 16
STREAMS_EACH: Final = 12
"""The most open streams, and the most of one tenant."""
TICK_S: Final = 0.25
_PATIENCE_S: Final = 3600.0
"""Longer than any call lasts."""

Read = Callable[[], Awaitable[T]]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is looked for, and the page token of an earlier answer; empty for the beginning."""

    filter: Filter
    word: str = ""
    most: int = 0


@dataclass(frozen=True, slots=True)
class Reader:
    """The reviewer. tenant: whose records it may read; None for all."""

    tenant: str | None

    def narrowed(self, wanted: Filter) -> Filter:
        """The filter, restricted to what the reviewer may read. Raises GatewayError (ROLE_REQUIRED)."""
        if self.tenant is None:
            return wanted
        if wanted.tenant not in {"", self.tenant}:  # the answer does not depend on whether the tenant exists
            raise GatewayError(
                Reason.ROLE_REQUIRED, "an auditor reads the records of its own tenant", field="filter.tenant"
            )
        return replace(wanted, tenant=self.tenant)


@dataclass(slots=True)
class Desk:
    """What reviewers and approvers need: settings, the log, and a queue of looks. streams: open streams by tenant."""

    gate: Gate
    settings: Settings
    approvals: Approvals
    archive: Archive
    looking: FairQueue = field(default_factory=lambda: FairQueue(AT_ONCE, _PATIENCE_S, each=LOOKS_EACH))
    streams: Counter[str] = field(default_factory=Counter)


def reader(principal: Principal, settings: Settings) -> Reader:
    """Step 2. Raises GatewayError (ROLE_REQUIRED).

    An inspector needs the role and a tenant that the configuration names, so that an issuer that assigns roles for one
    tenant can't open another's records. A role that is not configured grants nothing.
    """
    named = principal.tenant in settings.inspector_tenants
    if settings.inspector_role and named and settings.inspector_role in principal.roles:
        return Reader(None)
    if settings.auditor_role and settings.auditor_role in principal.roles:
        return Reader(principal.tenant)
    raise GatewayError(Reason.ROLE_REQUIRED, "the token's roles don't let it read the log")


async def search(call: Call, read: Read[Asked], desk: Desk, in_force: InForce) -> tuple[Page, str]:
    """A page of records, and the token of the next page; empty at the end. Raises GatewayError."""
    async with desk.gate.log.trail(call) as trail:
        who = await admit(call, desk, trail, in_force)  # 1, 2
        asked = await authentication.hear(call, read, desk.gate, in_force)  # 3
        note(trail, who, {"filter": asked.filter.asked()})
        wanted = who.narrowed(asked.filter)
        start = began(asked.word, bound(who, "page", wanted), desk, "page_token")
        at = partial(desk.archive.search, wanted, start, asked.most)
        page = await find(call, desk, trail.tenant, in_force, at)  # 4
        note(trail, who, {"filter": asked.filter.asked()}, len(page.found))
    return page, desk.archive.pages.word(page.rest, bound(who, "page", wanted)) if page.rest else ""


async def get(call: Call, read: Read[str], desk: Desk, in_force: InForce) -> list[Found]:
    """The records of a decision. Raises GatewayError: NOT_FOUND, also if the decision is another tenant's."""
    return await _one(call, read, desk, in_force, desk.archive.of_decision)


async def prove(call: Call, read: Read[str], desk: Desk, in_force: InForce) -> list[Proved]:
    """The records of a decision, with proofs. Raises GatewayError."""
    return await _one(call, read, desk, in_force, desk.archive.proved)


async def _one(
    call: Call,
    read: Read[str],
    desk: Desk,
    in_force: InForce,
    of: Callable[[str, str | None], list[T]],
) -> list[T]:
    async with desk.gate.log.trail(call) as trail:
        who = await admit(call, desk, trail, in_force)  # 1, 2
        decision_id = await authentication.hear(call, read, desk.gate, in_force)  # 3
        note(trail, who, {"decision_id": decision_id})
        found = await find(call, desk, trail.tenant, in_force, lambda: of(decision_id, who.tenant))  # 4
        if not found:
            raise GatewayError(Reason.NOT_FOUND, "there is no such decision", field="id")
        note(trail, who, {"decision_id": decision_id}, len(found))
        return found


async def watch(
    call: Call, read: Read[Asked], desk: Desk, in_force: InForce
) -> AsyncGenerator[tuple[Found | None, str]]:
    """First only the position where it begins, then each new record and the next position. Raises GatewayError."""
    with ExitStack() as open_:
        async with desk.gate.log.trail(call) as trail:
            who = await admit(call, desk, trail, in_force)  # 1, 2
            asked = await authentication.hear(call, read, desk.gate, in_force)  # 3
            note(trail, who, {"filter": asked.filter.asked()})
            wanted = who.narrowed(asked.filter)
            bounds = bound(who, "cursor", wanted)
            position = began(asked.word, bounds, desk, "cursor")
            at = await find(call, desk, trail.tenant, in_force, desk.archive.end) if position is None else position  # 4
            open_.enter_context(_one_more(desk, trail.tenant))
        pages = desk.archive.pages
        yield None, pages.word(at, bounds)
        while not desk.gate.draining:
            since = partial(desk.archive.since, at, wanted)
            found, after, more = await find(call, desk, trail.tenant, desk.gate.in_force, since)
            for one in found:
                at = {**at, one.origin: one.index + 1}
                yield one, pages.word(at, bounds)
            at = after
            if not more:
                await asyncio.sleep(TICK_S)
        raise GatewayError(Reason.SHUTTING_DOWN, "the gateway is stopping; go on at another with the last cursor")


async def export(call: Call, read: Read[Filter], desk: Desk, in_force: InForce) -> AsyncGenerator[bytes]:
    """An export file of records with proofs, in pieces. Raises GatewayError."""
    with ExitStack() as open_:
        async with desk.gate.log.trail(call) as trail:
            who = await admit(call, desk, trail, in_force)  # 1, 2
            asked = await authentication.hear(call, read, desk.gate, in_force)  # 3
            note(trail, who, {"filter": asked.asked()})
            pieces = desk.archive.exported(who.narrowed(asked))
            first = await find(call, desk, trail.tenant, in_force, lambda: next(pieces))  # 4
            open_.enter_context(_one_more(desk, trail.tenant))
        piece: bytes | None = first
        while piece is not None:
            yield piece
            piece = await find(call, desk, trail.tenant, desk.gate.in_force, lambda: next(pieces, None))


async def admit(call: Call, desk: Desk, trail: Trail, in_force: InForce) -> Reader:
    """Steps 1 and 2. The request is read only after them."""
    return reader(await authentication.prove(call, desk.gate, trail, in_force), desk.settings)


def note(trail: Trail, who: Reader, asked: Mapping[str, Json], given: int | None = None) -> None:
    """Add what was asked to the record of this call."""
    trail.reviewed(Review(asked, who.tenant is None, given))


def bound(who: Reader, use: str, wanted: Filter) -> Json:
    """What a page token is bound to."""
    return {"tenant": who.tenant, "use": use, "filter": wanted.asked()}


def began(word: str, bounds: Json, desk: Desk, name: str) -> Position | None:
    """The position of a page token; None for an empty one. Raises GatewayError (INVALID_REQUEST)."""
    try:
        return desk.archive.pages.position(word, bounds) if word else None
    except PageError as error:
        text = f"{name}: {error}; leave it out, or send what the last answer to the same filter had"
        raise GatewayError(Reason.INVALID_REQUEST, text, field=name) from None


async def find(call: Call, desk: Desk, tenant: str, in_force: InForce, at: Callable[[], T]) -> T:
    """Step 4, and step 1 again if it took long, since others look, too. Raises GatewayError."""
    found = await look(desk, tenant, at)
    await authentication.prove_again(call, desk.gate, in_force)
    return found


async def look(desk: Desk, tenant: str, at: Callable[[], T]) -> T:
    """Run a look at the log in a thread, in the tenant's turn. Raises GatewayError (REVIEW_UNAVAILABLE)."""
    try:
        await desk.looking.take(tenant)
        looking = asyncio.ensure_future(asyncio.to_thread(at))
        # The thread continues if its call is cancelled, so the turn ends with the thread.
        looking.add_done_callback(lambda _: desk.looking.give_back(tenant))
        return await asyncio.shield(looking)
    except BehindError as error:
        text = "the index of the log is being made; try again in a minute"
        raise GatewayError(Reason.REVIEW_UNAVAILABLE, text, detail=str(error)) from error
    except (UnreadableError, StaleError, NoteError, ProofError) as error:
        text = "the log can't be read now; its operator finds the decision id in the gateway's log"
        raise GatewayError(Reason.REVIEW_UNAVAILABLE, text, detail=str(error)) from error


@contextmanager
def _one_more(desk: Desk, tenant: str) -> Iterator[None]:
    """Count a stream from now on, before waiting for anything. Raises GatewayError (OVERLOADED)."""
    if desk.streams.total() >= STREAMS or desk.streams[tenant] >= STREAMS_EACH:
        raise GatewayError(Reason.OVERLOADED, "too many watches and exports at once; try again in a moment", again_s=1)
    desk.streams[tenant] += 1
    try:
        yield
    finally:
        desk.streams[tenant] -= 1
