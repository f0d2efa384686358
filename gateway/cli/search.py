"""`brightline audit search` and `index`: find records by their fields, newest first."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from brightline_verify.record import Kind, Outcome
from brightline_verify.report import UnreadableError, plain
from gateway.audit import index as indexes
from gateway.audit import indexing, reader, search
from gateway.audit.filter import EFFECTS, Filter, effect, rule_ids
from gateway.audit.index import Held
from gateway.audit.search import Found, Place, Position
from gateway.cli.log_options import MOST, Stored, stored, unusable
from gateway.cli.log_or_gateway import Asked, somewhere, told
from gateway.cli.option_groups import takes
from gateway.cli.terminal import line
from gateway.errors import Reason

_MANY = 100_000
"""Above this number of records without an index, a notice says that the search takes a while."""

_DAY = "%Y-%m-%d"
_DAY_US = 86_400_000_000
_FORMATS = (_DAY, "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f")
_TIME = "DAY|TIME"
_WHAT = "What to look for"


def _start(text: str) -> int:
    return _read(text)[0]


def _end(text: str) -> int:
    """The end of a day, which is included as in `brightline audit report`; a time is the end itself."""
    time_us, form = _read(text)
    return time_us + (_DAY_US if form == _DAY else 0)


def _read(text: str) -> tuple[int, str]:
    """The time in microseconds since 1970, and the format that it has. Raises typer.BadParameter."""
    for form in _FORMATS:
        with contextlib.suppress(ValueError):
            time = datetime.strptime(text, form).replace(tzinfo=UTC)
            return int(time.timestamp() * 1_000_000), form
    raise typer.BadParameter(f"{text!r} is no day or time in UTC, like 2026-11-30 or 2026-11-30T08:30:00")


def wanted(  # noqa: PLR0917 - one parameter for each option
    tenant: Annotated[str, typer.Option(help="The caller's tenant.", rich_help_panel=_WHAT)] = "",
    subject: Annotated[str, typer.Option(help="The caller's subject, as its token said.", rich_help_panel=_WHAT)] = "",
    rule: Annotated[str, typer.Option(help="A rule that fired, by its id.", rich_help_panel=_WHAT)] = "",
    effect_: Annotated[
        str, typer.Option("--effect", help="allow, deny or require_approval.", rich_help_panel=_WHAT)
    ] = "",
    kind: Annotated[str, typer.Option(help="intent, outcome, refusal, ...", rich_help_panel=_WHAT)] = "",
    outcome: Annotated[str, typer.Option(help="completed, refused, partial, ...", rich_help_panel=_WHAT)] = "",
    reason: Annotated[str, typer.Option(help="A public reason, like POLICY_DENIED.", rich_help_panel=_WHAT)] = "",
    decision: Annotated[str, typer.Option(help="A decision id.", rich_help_panel=_WHAT)] = "",
    since: Annotated[
        int | None, typer.Option(help="Not before, UTC.", parser=_start, metavar=_TIME, rich_help_panel=_WHAT)
    ] = None,
    until: Annotated[
        int | None,
        typer.Option(
            help="Until a day is over, or before a time, UTC.", parser=_end, metavar=_TIME, rich_help_panel=_WHAT
        ),
    ] = None,
) -> Filter:
    """The filter. Raises typer.BadParameter for a word that no record can have."""
    words: tuple[tuple[str, str, Iterable[str]], ...] = (
        ("effect", effect_, EFFECTS),
        ("kind", kind, Kind),
        ("outcome", outcome, Outcome),
        ("reason", reason, Reason),
    )
    for name, word, known in words:
        if word and word not in tuple(map(str, known)):
            raise typer.BadParameter(f"--{name} {word}: is none of {', '.join(map(str, known))}")
    if since and until and until <= since:
        raise typer.BadParameter("is not after --since, so that nothing fits", param_hint="--until")
    return Filter(tenant, subject, rule, effect_, kind, outcome, reason, decision, since or 0, until or 0)


@takes(log=somewhere, looked_for=wanted)
def find(
    *,
    log: Stored | Asked,
    looked_for: Filter,
    most: Annotated[int, typer.Option(help="How many records at most.", min=1, max=search.MOST_RECORDS)] = 20,
    page: Annotated[str, typer.Option(help="Go on where an earlier search ended: what it printed.")] = "",
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Find records, newest first: by tenant, subject, rule, effect, kind, outcome, reason, decision and time.

    A record has to match every given option. With --config, the logs of other gateways in the same PostgreSQL database
    are searched too, merged by time; --origin searches one of them. Prove the results with `brightline audit prove`: an
    index (`audit index`) makes a search fast, but proves nothing.

    Example: `brightline audit search --rule weapon_engage_autonomous --since 2026-11-01 --config gateway.toml`

    To ask a running gateway instead of reading the log's files, give --address, or --deployment and --auditor-of.

    Exits with 0 when there is something, 1 when there is nothing, 2 when there is no log or key to read or a word is
    wrong, 3 when not authenticated, 4 when the gateway refuses or can't answer.
    """
    found, rest = _page(log, looked_for, page, most)
    if json_:
        typer.echo(json.dumps(as_json(found, rest), indent=2))
    else:
        show(Console(highlight=False, soft_wrap=True), found, rest)
    raise typer.Exit(0 if found else 1)


def _page(log: Stored | Asked, looked_for: Filter, page: str, most: int) -> tuple[Sequence[Found], str]:
    """Records, and the token of the next page."""
    if isinstance(log, Asked):
        with told(log):
            return log.page(looked_for, most, page)
    try:
        with places(log) as found_places:
            found = search.page(found_places, looked_for, _position(page), most)
            return found.found, token(found.rest)
    except (UnreadableError, indexes.StaleError) as error:
        raise unusable(str(error)) from error


@takes(log=stored)
def index(*, log: Stored, rebuild: Annotated[bool, typer.Option(help="Forget the index there is.")] = False) -> None:
    """Make the index that searches use, or bring it up to date. A running gateway does so by itself.

    The index is derived from the log and is stored beside it. Whoever can write the index can hide records from a
    search, but not from the verifier. If that matters, rebuild it with --rebuild.

    Exits with 0, with 2 when there is no log to read or another process makes the index.
    """
    console = Console(stderr=True, highlight=False)
    path = log.index
    try:
        with reader.opened(log.source) as opened, Progress(console=console, disable=not console.is_terminal) as bar:
            task = bar.add_task("indexing", total=None)
            with contextlib.closing(indexes.Builder(path, opened, anew=rebuild)) as builder:
                indexing.catch_up(opened, builder, lambda done, size: bar.update(task, completed=done, total=size))
                size = builder.size
    except BlockingIOError as error:
        raise unusable(f"{path}: another process makes it, a gateway that serves for example") from error
    except (UnreadableError, OSError, sqlite3.OperationalError) as error:
        raise unusable(str(error)) from error
    except (sqlite3.Error, ValueError, TypeError) as error:  # rows that no index builder wrote
        raise unusable(f"{path}: is damaged; make it again: brightline audit index --rebuild") from error
    typer.echo(f"indexed {size} records in {path}")


@contextmanager
def places(log: Stored) -> Iterator[list[Place]]:
    """The log and those stored together with it, with their indexes, if they have any. Raises UnreadableError."""
    with ExitStack() as stack:
        yield [_place(held, stack) for held in log.together()]


def _place(held: Held, stack: ExitStack) -> Place:
    opened = stack.enter_context(reader.opened(held.source))
    try:
        found = stack.enter_context(indexes.opened(held.index, opened))
    except indexes.StaleError:
        found = None
    if opened.size() - (found.size if found else 0) > _MANY:
        typer.echo(
            f"there is no index of most of {plain(opened.origin)}, so this takes a while; run: brightline audit index",
            err=True,
        )
    return Place(opened, found)


def as_json(found: Sequence[Found], rest: str) -> dict[str, Any]:
    """A page as JSON. `page` is the token of the next page, and empty at the end."""
    records = [{"origin": f.origin, "index": f.index, "record": f.record} for f in found]
    return {"records": records, "page": rest}


def show(console: Console, found: Sequence[Found], rest: str) -> None:
    """A page for people."""
    for one in found:
        _row(console, one)
    if not found:
        line(console, "no record fits")
    if rest:
        line(console, f"there are more: --page {rest}", "dim")


def token(position: Position | None) -> str:
    """A position as a token for the command line. It is unprotected, because only its own user reads it."""
    return json.dumps(position, separators=(",", ":")).encode().hex() if position else ""


def _position(text: str) -> Position | None:
    if not text:
        return None
    try:
        value = json.loads(bytes.fromhex(text))
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict) or not all(type(below) is int and 0 <= below <= MOST for below in value.values()):
        raise typer.BadParameter("--page: is not what a search printed")
    return value


def _row(console: Console, found: Found) -> None:
    record = found.record
    principal = record.get("principal") or {}
    words = (*(str(record.get(name, "")) for name in ("kind", "outcome", "reason")), effect(record))
    where = f"record {found.index} of {found.origin}"
    line(console, f"{_when(record['time_us'])}  {record.get('decision_id', '')}  {where}", "bold")
    line(console, f"  {' '.join(filter(None, words))}")
    who = " ".join(str(principal[name]) for name in ("tenant", "subject") if principal.get(name))
    rules = ", ".join(sorted(set(rule_ids(record))))
    for name, value in (("by", who), ("rules", rules)):
        if value:
            line(console, f"  {name:<5} {value}")


def _when(time_us: int) -> str:
    try:
        return datetime.fromtimestamp(time_us / 1_000_000, UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):  # the time of a record that no gateway wrote
        return str(time_us)
