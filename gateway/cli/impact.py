"""`brightline policy impact`: the impact of a policy change on decisions, looser ones first and in red."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from brightline_verify.note import Verifier
from brightline_verify.report import UnreadableError
from brightline_verify.stored import Source
from gateway import atomic_files
from gateway import config as configuration
from gateway.audit import places, recorded
from gateway.audit.keys import load_verifier, public_path
from gateway.canonical import canonical
from gateway.cli.terminal import line as show
from gateway.cli.terminal import safe
from gateway.errors import StartError
from gateway.workshop.impact import Impact, as_json, by_purpose, by_rule, by_tenant, rank
from gateway.workshop.lines import numbered
from gateway.workshop.page import page
from gateway.workshop.policies import opened
from gateway.workshop.redeciding import questions
from gateway.workshop.replaying import Numbered, replay

EXAMPLES = 10
"""How many looser decisions are printed. The files have all of them."""


def impact(  # noqa: PLR0917 - one parameter for each option
    old: Annotated[Path, typer.Argument(help="A release, what `policy build` wrote, or a folder of sources.")],
    new: Annotated[Path, typer.Argument(help="Likewise; what is compared with it.")],
    inputs: Annotated[Path | None, typer.Option(help="Inputs of decisions, one a line; - is standard input.")] = None,
    log: Annotated[Path | None, typer.Option(help="A deployment's folder: what its audit log recorded.")] = None,
    json_: Annotated[Path | None, typer.Option("--json", help="Write everything to this file.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page for a meeting to this file.")] = None,
    fail_on_loosening: Annotated[bool, typer.Option(help="Exit with 1 when a decision is looser.")] = False,
) -> None:
    """Compare the decisions of two policies: which flip, in which direction, by rule, tenant and purpose.

    Looser means a weaker effect, or an obligation that is gone or replaced. Exits with 2 when a line was not an input,
    after the others were compared.

    Example: `brightline policy impact build/policy rego --inputs inputs.jsonl --html impact.html`
    """
    if (inputs is None) == (log is None):
        raise typer.BadParameter("give --inputs or --log")
    with opened(old) as before, opened(new) as after, _found(inputs, log) as (total, found):
        errors = Console(stderr=True, highlight=False)
        with Progress(console=errors, transient=True, disable=not errors.is_terminal) as bar:
            task = bar.add_task("deciding", total=total)
            made = replay(before.release, after.release, found, lambda done: bar.advance(task, done))
        names = {"old": str(old), "new": str(new)}
        revisions = {"old_revision": before.release.revision, "new_revision": after.release.revision}
    if json_:
        _write(json_, json.dumps({**names, **revisions, **as_json(made)}, indent=1) + "\n")
    if html:
        _write(html, page(made, **names, **revisions))
    _print(Console(highlight=False), made)
    for error in made.errors[:EXAMPLES]:
        typer.echo(f"error: {error}", err=True)
    if fail_on_loosening and made.count(loosened=True):
        raise typer.Exit(1)
    if made.errors:
        typer.echo(f"error: {len(made.errors)} lines were no inputs and were left out", err=True)
        raise typer.Exit(2)


@contextmanager
def _found(path: Path | None, log: Path | None) -> Iterator[tuple[int | None, Iterable[Numbered]]]:
    """The number of inputs, if known, and the inputs. Raises StartError."""
    try:
        if log is not None:
            audit = configuration.load(log / "gateway.toml").audit
            key = load_verifier(public_path(audit.signing_key), "audit.signing_key")
            kept = places.source(audit)
            yield None, _recorded(kept, key)
        elif path is None or str(path) == "-":
            with nullcontext(sys.stdin.buffer) as file:
                yield None, numbered(file)
        else:
            with path.open("rb") as file:
                total = sum(1 for _ in numbered(file))
                file.seek(0)
                yield total, numbered(file)
    except UnreadableError as error:
        raise StartError(f"{log}: {error}") from error
    except OSError as error:
        raise StartError(f"{error.filename or path}: cannot be read: {error.strerror}") from error


def _recorded(log: Source, verifier: Verifier) -> Iterator[Numbered]:
    """The record index and the input of each recorded decision, also about answers, if the record has the input.

    Yields nothing unless the whole log verifies. Raises UnreadableError.
    """
    checked = recorded.verified(log, verifier)
    found = ((index, record) for index, _, record in checked.records())
    for asked in questions(found):
        if not asked.missing:
            yield asked.index, canonical({"id": asked.decision_id, "input": asked.input})


def _write(path: Path, text: str) -> None:
    try:
        atomic_files.replace(path, text.encode())
    except OSError as error:
        raise StartError(f"{path}: cannot be written: {error.strerror}") from error


def _print(console: Console, made: Impact) -> None:
    loosened, tightened = made.count(loosened=True), made.count(loosened=False)
    show(console, f"{loosened} of {made.decisions()} decisions are looser", "bold red" if loosened else "bold green")
    show(console, f"{tightened} are stricter")
    console.print()
    steps = _table("effects", "before", "after", "decisions")
    for before, after, count in made.steps():
        steps.add_row(before, after, str(count), style="red" if rank(after) < rank(before) else "")
    console.print(steps)
    for title, rows in (("by rule", by_rule(made)), ("by tenant", by_tenant(made)), ("by purpose", by_purpose(made))):
        table = _table(title, "", "looser", "stricter", "of")
        for row in rows:
            name = Text(safe(row.name), style="red" if row.loosened else "")
            table.add_row(name, str(row.loosened or ""), str(row.tightened or ""), str(row.of or ""))
        if rows:
            console.print(table)
    examples = [flip for flip in made.ordered() if flip.loosened][:EXAMPLES]
    if examples:
        show(console, f"looser decisions, {len(examples)} of {loosened}", "bold red")
    for flip in examples:
        show(console, f"  {flip.id}  {flip.tenant}, {flip.purpose}: {flip.step()}, no longer {', '.join(flip.gone)}")


def _table(title: str, first: str, *others: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE, pad_edge=False)
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right" if name not in {"before", "after"} else "left")
    return table
