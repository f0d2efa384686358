"""`brightline audit replay`: repeats decisions of the log with the releases that made them, and compares."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from brightline_verify.report import UnreadableError
from gateway.audit import recorded
from gateway.cli.audit import proved
from gateway.cli.log_options import Stored, stored, unusable
from gateway.cli.option_groups import takes
from gateway.cli.terminal import line
from gateway.errors import StartError
from gateway.workshop.redeciding import Different, Releases, Replayed, Said, questions, replay

SHOWN = 20
"""How many different decisions are printed. JSON has all of them."""


@takes(log=stored)
def replay_(
    *,
    log: Stored,
    decision_id: Annotated[str, typer.Argument(help="The decision to make again.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="Make every decision of the log again.")] = False,
    release: Annotated[
        list[Path] | None,
        typer.Option(help="A release, or a folder of releases (repeatable). With --config: also the one in force."),
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Repeat decisions, each with the release that made it, and say whether the results are the same.

    The records are proved, or the whole log is verified, first. For a decision that differs, both results are shown.
    For a decision that can't be repeated (its release is not given, or its record left the input out), the reason is
    shown.

    Example: `brightline audit replay --all --config gateway.toml --release archive/releases`

    Exits with 0 when all are the same, 1 when one is different, not proved yet or can't be repeated, 2 when something
    can't be read.
    """
    if bool(decision_id) == everything:
        raise typer.BadParameter("give a decision id, or --all")
    folders = [*(release or []), *([log.release] if log.release else [])]
    if not folders:
        raise typer.BadParameter("--release: name the release that decided, or a folder of releases")
    try:
        with Releases(folders) as releases:
            made = replay(questions(_found(log, decision_id)), releases)
    except (UnreadableError, StartError) as error:
        raise unusable(str(error)) from error
    if json_:
        typer.echo(json.dumps({"same": made.same, "whole": made.whole, **_parts(made)}, indent=2))
    else:
        _print(Console(highlight=False, soft_wrap=True), made)
    raise typer.Exit(0 if made.whole else 1)


def _found(log: Stored, decision_id: str) -> Iterator[tuple[int, dict[str, Any]]]:
    if decision_id:
        for one in proved(log, decision_id):
            if one.proof is None:
                typer.echo(f"error: record {one.index} is not under a checkpoint, so nothing proves it yet", err=True)
                raise typer.Exit(1)
            yield one.index, dict(one.record)
        return
    checked = recorded.verified(log.source, log.verifier)
    yield from ((index, record) for index, _, record in checked.records())


def _parts(made: Replayed) -> dict[str, Any]:
    return {
        "different": [asdict(one) for one in made.different],
        "missing": dict(made.missing),
        "releases": dict(made.releases),
    }


def _print(console: Console, made: Replayed) -> None:
    total = made.same + len(made.different)
    verdict = f"{made.same} of {total} decisions are the same"
    line(console, verdict, "bold green" if made.whole and total else "bold red")
    for release, count in sorted(made.releases.items()):
        line(console, f"  {count} by release {release}")
    for why, count in sorted(made.missing.items()):
        line(console, f"  {count} can't be made again: {why}")
    for one in made.different[:SHOWN]:
        _different(console, one)
    if len(made.different) > SHOWN:
        line(console, f"and {len(made.different) - SHOWN} more; --json has them all")


def _different(console: Console, one: Different) -> None:
    line(console, f"record {one.index}, decision {one.decision_id}, {one.stage}", "bold red")
    line(console, f"  recorded  {_in_words(one.said)}")
    line(console, f"  now       {one.now if isinstance(one.now, str) else _in_words(one.now)}")


def _in_words(said: Said) -> str:
    """The decision as ASCII JSON, which can't control a terminal."""
    return json.dumps(said, sort_keys=True)
