"""`brightline policy eval`: decides an input on both engines, and explains every rule."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path
from textwrap import shorten
from typing import Annotated, BinaryIO

import typer
from rich.console import Console

from gateway.canonical import Json
from gateway.cli.terminal import line as show
from gateway.errors import StartError
from gateway.types import Decision, Effect
from gateway.workshop.deciding import Decide, Made, beside, embedded, same
from gateway.workshop.explaining import Account, Cause, explain
from gateway.workshop.lines import MAX_LINE, Line, chunks, lines, one
from gateway.workshop.policies import Opened, opened

CHUNK = 1000
"""How many inputs one run of Open Policy Agent decides."""

WIDTH = 160
"""The most characters of a condition that are printed for people."""

_STYLES = {Effect.ALLOW: "bold green", Effect.REQUIRE_APPROVAL: "bold yellow", Effect.DENY: "bold red"}


def evaluate(
    input: Annotated[Path, typer.Option(help="The input, in JSON; - is standard input.")],  # noqa: A002 - as policies call it
    release: Annotated[Path | None, typer.Option(help="A release, or a folder that `policy build` wrote.")] = None,
    rego: Annotated[Path | None, typer.Option(help="Sources, built first; rego, where neither is given.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help='Many inputs, or {"id", "input"}, one a line; prints {id, effect, rules}.')
    ] = False,
) -> None:
    """Decide about an input on both engines, and say why every rule fired or which of its conditions failed first.

    Exits with 0 when there is a decision, whatever it is. Exits with 1 when there is none, the engines differ, or a
    line is not an input: that line is named, and the others are decided.

    Example: `brightline policy eval --input input.json`
    """
    if release is not None and rego is not None:
        raise typer.BadParameter("give --release or --rego")
    with opened(release or rego or Path("rego")) as policy, embedded(policy.release) as decide, _open(input) as file:
        if jsonl:
            made = (line for chunk in chunks(lines(file), CHUNK) for line in _both(policy, decide, chunk))
            failed = [_print_line(*line) for line in made]
            raise typer.Exit(1 if any(failed) else 0)
        line = one(file.read(MAX_LINE + 1), str(input), str(input))
        if line.error:
            raise StartError(line.error)
        [(_, decision, trouble)] = _both(policy, decide, [line])
        if decision is None:
            typer.echo(f"error: {trouble}", err=True)
            raise typer.Exit(1)
        accounts = explain(policy, line.input)
        if json_:
            typer.echo(json.dumps(_as_json(decision, accounts)))
        else:
            _print(Console(highlight=False), decision, accounts, policy.shown)


def _open(path: Path) -> AbstractContextManager[BinaryIO]:
    if str(path) == "-":
        return nullcontext(sys.stdin.buffer)
    try:
        return path.open("rb")
    except OSError as error:
        raise StartError(f"{path}: cannot be read: {error.strerror}") from error


def _both(policy: Opened, decide: Decide, chunk: Sequence[Line]) -> Iterator[tuple[Line, Decision | None, str]]:
    """The decision of both engines about each line, or why they gave no common decision."""
    good = [line.input for line in chunk if not line.error]
    made = iter(zip(decide(good), beside(policy, good), strict=True))
    for line in chunk:
        yield line, *((None, line.error) if line.error else _agreed(*next(made)))


def _agreed(wasm: Made, opa: Made) -> tuple[Decision | None, str]:
    if not same(wasm, opa):
        return None, f"the engines differ: wasm: {_brief(wasm)}; opa: {_brief(opa)}"
    if isinstance(wasm, str):
        return None, f"no decision: {wasm}"
    return wasm, ""


def _brief(made: Made) -> str:
    if isinstance(made, str):
        return f"no decision: {made}"
    return json.dumps({**_added(made), "effect": made.effect.name.lower(), "rules": [rule.id for rule in made.rules]})


def _print_line(line: Line, decision: Decision | None, trouble: str) -> bool:
    """Print a decision in one line. Returns whether there was none."""
    found: dict[str, Json] = {"error": trouble}
    if decision is not None:
        found = {"effect": decision.effect.name.lower(), "rules": [rule.id for rule in decision.rules]}
    typer.echo(json.dumps({"id": line.id, **found}))
    return decision is None


def _as_json(decision: Decision, accounts: Sequence[Account]) -> dict[str, Json]:
    """The decision as JSON. silent: the rules that did not fire, each with the conditions that failed first."""
    rules: Json = [{("class" if k == "cls" else k): v for k, v in asdict(rule).items()} for rule in decision.rules]
    fired: Json = [asdict(account) for account in accounts if account.effect]
    silent: Json = [{"id": a.id, "failed": [asdict(cause) for cause in a.causes]} for a in accounts if not a.effect]
    effect = decision.effect.name.lower()
    return {"effect": effect, "rules": rules, **_added(decision), "fired": fired, "silent": silent}


def _added(decision: Decision) -> dict[str, Json]:
    """The obligations and grants of the decision."""
    obligations: Json = [{key: value for key, value in asdict(o).items() if value} for o in decision.obligations]
    return {"obligations": obligations, "grants": list(decision.grants)}


def _print(console: Console, decision: Decision, accounts: Sequence[Account], shown: Path) -> None:
    effect = decision.effect.name.replace("_", " ")
    show(console, f"{effect}, by both engines", _STYLES[decision.effect])
    causes = {account.id: account.causes for account in accounts}
    for rule in decision.rules:
        show(console, f"  {rule.id} ({rule.cls}, {rule.effect})", "bold")
        show(console, f"    {rule.title}")
        for source in rule.sources:
            show(console, f"    rests on  {source.title} ({source.read.replace('_', ' ')})")
        show(console, f"    remedy    {rule.remedy}")
        _print_causes(console, causes.get(rule.id, ()), shown, "because")
    refusing = {rule.id for rule in decision.rules}
    for account in accounts:
        if account.effect and account.id not in refusing:
            relaxed = "" if account.effect == "allow" else ", relaxed by a grant"
            show(console, f"  {account.id} ({account.effect}{relaxed})", "bold")
            _print_causes(console, account.causes, shown, "because")
    for obligation in decision.obligations:
        words = [str(value) for value in asdict(obligation).values() if value]
        show(console, f"  obliges to {' '.join(words)}")
    for grant in decision.grants:
        show(console, f"  rests on the grant {grant}")
    console.print()
    show(console, "rules that did not fire, and the first condition of each that failed")
    for account in accounts:
        if not account.effect:
            show(console, f"  {account.id}", "bold")
            _print_causes(console, account.causes, shown, "")


def _print_causes(console: Console, causes: Sequence[Cause], shown: Path, word: str, depth: int = 2) -> None:
    """Print causes, each indented below what it explains."""
    for cause in causes:
        text = shorten(cause.text, WIDTH, placeholder=" …")
        show(console, f"{'  ' * depth}{word}{' ' if word else ''}{shown / cause.file}:{cause.line}: {text}")
        _print_causes(console, cause.because, shown, "because", depth + 1)
