"""The path of a reviewer's call. Like the path of a request, and nothing here touches gRPC.

1 prove who asks    2 whose records its roles let it read    3 read the request    4 look
5 write the record of the call, durably: nothing of the log leaves before this line
A call that streams has its record when it begins; what it got is what the log held for it. Who asks is proved again at
each look, by the release that is in force then.
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
"""Looks at the log at a time; others wait, and tenants take turns. Each takes a thread and may read a page of large
records."""
LOOKS_EACH: Final = 3
"""How many of these may be one tenant's."""
STREAMS: Final = 16
STREAMS_EACH: Final = 12
"""Streams that are open at a time, and how many of these may be one tenant's."""
TICK_S: Final = 0.25
_PATIENCE_S: Final = 3600.0
"""A call is over before that."""

Read = Callable[[], Awaitable[T]]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is looked for, from where on: a word that an earlier answer had, empty for the beginning."""

    filter: Filter
    word: str = ""
    most: int = 0


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads. tenant: whose records; None for everybody's."""

    tenant: str | None

    def narrowed(self, wanted: Filter) -> Filter:
        """What it asks for among what it may read. Raises GatewayError (ROLE_REQUIRED)."""
        if self.tenant is None:
            return wanted
        if wanted.tenant not in {"", self.tenant}:  # whether there is such a tenant makes no difference
            raise GatewayError(
                Reason.ROLE_REQUIRED, "an auditor reads the records of its own tenant", field="filter.tenant"
            )
        return replace(wanted, tenant=self.tenant)


@dataclass(slots=True)
class Desk:
    """What reviewers and approvers need: who they are, the log, and who looks now. streams: open ones by tenant."""

    gate: Gate
    settings: Settings
    approvals: Approvals
    archive: Archive
    looking: FairQueue = field(default_factory=lambda: FairQueue(AT_ONCE, _PATIENCE_S, each=LOOKS_EACH))
    streams: Counter[str] = field(default_factory=Counter)


def reader(principal: Principal, settings: Settings) -> Reader:
    """Step 2. Raises GatewayError (ROLE_REQUIRED).

    An inspector needs the role and a tenant that the configuration names: an issuer that gives roles away for one
    tenant opens no other's records. A role that is not configured is nobody's.
    """
    named = principal.tenant in settings.inspector_tenants
    if settings.inspector_role and named and settings.inspector_role in principal.roles:
        return Reader(None)
    if settings.auditor_role and settings.auditor_role in principal.roles:
        return Reader(principal.tenant)
    raise GatewayError(Reason.ROLE_REQUIRED, "the token's roles don't let it read the log")


async def search(call: Call, read: Read[Asked], desk: Desk, in_force: InForce) -> tuple[Page, str]:
    """A page of records, and the word for the next one; empty at the end. Raises GatewayError."""
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
    """The records of a decision. Raises GatewayError: NOT_FOUND, whether there is none or it is another tenant's."""
    return await _one(call, read, desk, in_force, desk.archive.of_decision)


async def prove(call: Call, read: Read[str], desk: Desk, in_force: InForce) -> list[Proved]:
    """The same with proofs. Raises GatewayError."""
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
    """First nothing but where it begins, then each new record and where it goes on. Raises GatewayError."""
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
    """Pieces of a file of records with proofs. Raises GatewayError."""
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
    """Steps 1 and 2. The request of nobody else is read."""
    return reader(await authentication.prove(call, desk.gate, trail, in_force), desk.settings)


def note(trail: Trail, who: Reader, asked: Mapping[str, Json], given: int | None = None) -> None:
    """What the record of this call says."""
    trail.reviewed(Review(asked, who.tenant is None, given))


def bound(who: Reader, use: str, wanted: Filter) -> Json:
    """What a word for going on belongs to."""
    return {"tenant": who.tenant, "use": use, "filter": wanted.asked()}


def began(word: str, bounds: Json, desk: Desk, name: str) -> Position | None:
    """The position that a word is for, None for no word. Raises GatewayError (INVALID_REQUEST)."""
    try:
        return desk.archive.pages.position(word, bounds) if word else None
    except PageError as error:
        text = f"{name}: {error}; leave it out, or send what the last answer to the same filter had"
        raise GatewayError(Reason.INVALID_REQUEST, text, field=name) from None


async def find(call: Call, desk: Desk, tenant: str, in_force: InForce, at: Callable[[], T]) -> T:
    """Step 4, and step 1 again where it took long: others look, too. Raises GatewayError."""
    found = await look(desk, tenant, at)
    await authentication.prove_again(call, desk.gate, in_force)
    return found


async def look(desk: Desk, tenant: str, at: Callable[[], T]) -> T:
    """A look at the log for who is of that tenant, in a thread of its own. Raises GatewayError (REVIEW_UNAVAILABLE)."""
    try:
        await desk.looking.take(tenant)
        looking = asyncio.ensure_future(asyncio.to_thread(at))
        # A thread goes on when its call is cancelled.
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
    """Counts a stream from now on, before anything is waited for. Raises GatewayError (OVERLOADED)."""
    if desk.streams.total() >= STREAMS or desk.streams[tenant] >= STREAMS_EACH:
        raise GatewayError(Reason.OVERLOADED, "too many watches and exports at once; try again in a moment", again_s=1)
    desk.streams[tenant] += 1
    try:
        yield
    finally:
        desk.streams[tenant] -= 1
