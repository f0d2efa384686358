"""`brightline audit report`: figures of a period of the log, on the terminal, as JSON and as a page."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from brightline_verify.note import Verifier
from brightline_verify.report import Report, UnreadableError, plain
from brightline_verify.stored import Source
from gateway import atomic_files
from gateway.audit import recorded
from gateway.cli.log_options import Stored, stored, unusable
from gateway.cli.option_groups import takes
from gateway.errors import StartError
from gateway.oversight.counting import CALLS, Counts
from gateway.oversight.page import page
from gateway.oversight.plots import WORDS
from gateway.oversight.report import Oversight, Period

_RED_LINES = Path("rego/brightline/rules/red_line")
_EACH = 1000


@takes(log=stored)
def report(
    *,
    log: Stored,
    since: Annotated[datetime | None, typer.Option(help="The first day, UTC.", formats=["%Y-%m-%d"])] = None,
    until: Annotated[datetime | None, typer.Option(help="The last day, UTC.", formats=["%Y-%m-%d"])] = None,
    release: Annotated[
        Path | None, typer.Option(help="A release: its red lines are told also where they never fired.")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page to this file.")] = None,
    json_: Annotated[Path | None, typer.Option("--json", help="Write everything to this file.")] = None,
) -> None:
    """Count a period's decisions by tenant, rule, effect and release; overrides, and incidents with their deadlines.

    The whole log is verified first, and a log that does not verify gives no report. With --config, the logs of other
    gateways in the same PostgreSQL database are verified and counted too, if audit.other_keys has their keys. Exits
    with 0, with 2 when something can't be read, written or verified.

    Example: `brightline audit report --config gateway.toml --since 2026-07-01 --until 2026-09-30 --html oversight.html`
    """
    if since and until and until < since:
        raise typer.BadParameter("is before --since, so that nothing is in between", param_hint="--until")
    period = Period(_us(since), _us(until, timedelta(days=1)))
    errors = Console(stderr=True, highlight=False)
    counts = Counts(_red_lines(release) if release else ())
    try:
        with Progress(console=errors, transient=True, disable=not errors.is_terminal) as bar:
            known = log.with_keys()
            checked = [_counted(source, key, period, counts, bar) for source, key in known.items()]
            for left in [held.source for held in log.together() if held.source not in known]:
                errors.print(f"not in this report: {left}; audit.other_keys has no key of it", markup=False)
        made = Oversight(checked, period, counts, time.time_ns() // 1000)
        if json_:
            atomic_files.replace(json_, (json.dumps(made.as_json(), indent=1) + "\n").encode())
        if html:
            atomic_files.replace(html, page(made).encode())
    except (UnreadableError, StartError, OSError) as error:
        raise unusable(str(error)) from error
    _print(made)


def _counted(source: Source, key: Verifier, period: Period, counts: Counts, bar: Progress) -> Report:
    """Verify a whole log, and count the period's records that a checkpoint covers. Raises UnreadableError."""
    task = bar.add_task("checking", total=None)
    checked = recorded.verified(source, key, lambda done, size: bar.update(task, completed=done, total=size))
    task = bar.add_task("counting", total=checked.report.covered)
    bounds = {"since_us": period.since_us, "before_us": period.before_us}
    given = {name: at for name, at in bounds.items() if at is not None}
    for index, _, record in checked.records(**given):
        counts.add(record)
        if index % _EACH == 0:
            bar.update(task, completed=index)
    return checked.report


def _us(day: datetime | None, later: timedelta = timedelta()) -> int | None:
    """The beginning of a day in microseconds, plus `later`."""
    return None if day is None else (int(day.replace(tzinfo=UTC).timestamp()) + int(later.total_seconds())) * 1_000_000


def _red_lines(release: Path) -> list[str]:
    """The red lines of a release, from the folders of its sources. Exits with 2 if there are none."""
    found = sorted(path.name for path in (release / _RED_LINES).glob("*") if path.is_dir())
    if not found:
        raise unusable(f"--release: {release / _RED_LINES}: no red lines here; give the folder of a release")
    return found


def _print(made: Oversight) -> None:
    counts = made.counts
    names = ", ".join(plain(log.origin) for log in made.logs)
    of = "a log that verified" if len(made.logs) == 1 else f"{len(made.logs)} logs that verified"
    typer.echo(f"{names}, {made.period}: {counts.records} records of {of}")
    for kind in CALLS:
        typer.echo(f"  {counts.calls[kind]:>9} {WORDS[kind]}")
    typer.echo(f"  {counts.answers['refused_output']:>9} answers refused by a rule")
    typer.echo(f"  {counts.model_refusals:>9} refused by the model itself")
    typer.echo(
        f"  {sum(counts.approvals.values()):>9} permitted by an approval, {sum(counts.grants.values())} by a grant"
    )
    for name, fired in sorted(counts.rules.items()):
        if fired.cls == "red_line":
            apart = f", and {fired.unjudged} times something that nobody could judge" if fired.unjudged else ""
            typer.echo(f"  {fired.total():>9} red line {plain(name)}{apart}")
    typer.echo(f"  {counts.incidents_in_all:>9} incidents to report")
