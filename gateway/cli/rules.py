"""`brightline policy new`, `list`, `show` and `docs`: rules as their METADATA describes them."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from gateway.cli.rego import REGO, RegoOption, report
from gateway.cli.terminal import line
from gateway.workshop import pages, scaffold
from gateway.workshop.catalogue import ANSWERS, LAYERS, READ, Entry, catalogue
from gateway.workshop.layout import CLASSES, policy_folder
from gateway.workshop.metadata import TO_FILL

Layer = Literal["red_line", "provider_baseline", "law", "directive", "agency"]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def new(
    id: Annotated[str, typer.Argument(help="The rule's name and folder, like no_export.")],  # noqa: A002 - as rules call it
    layer: Annotated[Layer, typer.Option(help="Whose rule it is.")],
    agency: Annotated[str, typer.Option(help="With --layer agency: the agency whose own rule it is.")] = "",
    rego: RegoOption = REGO,
) -> None:
    """Start a rule: a folder with METADATA to fill in, the facts it reads, and tests that fail until it is written.

    Refuses a name that is invalid, or that another rule has.

    Example: `brightline policy new no_export --layer agency --agency harbor`
    """
    made = scaffold.create(policy_folder(rego), id, layer, agency)
    for path in made:
        typer.echo(f"made {rego / path}")
    typer.echo(f"fill in what says {TO_FILL}; then: brightline policy check, brightline policy test --rule {id}")


def list_rules(
    rego: RegoOption = REGO,
    json_: JsonOption = False,
    all_: Annotated[
        bool, typer.Option("--all", help="Also what guards the decision itself, and agencies' own rules.")
    ] = False,
) -> None:
    """List the rules with their layer, title and sources.

    Exits with 1 when a rule is not described as required: it is reported, and not listed.
    """
    entries, findings = catalogue(policy_folder(rego))
    listed = [e for e in entries if all_ or not (e.rule.agency or e.rule.custom.guard)]
    common = [e for e in listed if not (e.rule.agency or e.rule.custom.guard)]
    if json_:
        typer.echo(json.dumps([e.as_json() for e in listed], indent=2))
    else:
        console = Console(highlight=False)
        for layer in CLASSES:
            _section(console, f"{layer}: {LAYERS[layer]}", [e for e in common if e.rule.custom.cls == layer])
        guards = [e for e in listed if e.rule.custom.guard]
        if guards:
            _section(console, "guards: what a decision needs before it can restrict anything", guards)
        for owner in sorted({e.rule.agency for e in listed} - {""}):
            own = [e for e in listed if e.rule.agency == owner]
            _section(console, f"agency {owner}, for its tenants alone", own)
    report(findings, rego)


def show_rule(
    id: Annotated[str, typer.Argument(help="The rule's id.")],  # noqa: A002 - as rules call it
    rego: RegoOption = REGO,
    json_: JsonOption = False,
) -> None:
    """Show one rule in plain language: what it requires, on what authority, who may relax it, and its facts."""
    entries, findings = catalogue(policy_folder(rego))
    entry = next((e for e in entries if e.rule.custom.id == id), None)
    if entry is None:
        typer.echo(f"error: no rule {id} that is described as it has to be; `brightline policy list` has all", err=True)
        report(findings, rego)
        raise typer.Exit(1)
    if json_:
        typer.echo(json.dumps(entry.as_json(), indent=2))
    else:
        _shown(Console(highlight=False), entry, rego)


def docs(
    out: Annotated[Path, typer.Option(help="The folder of documents: rules/ and counsel.md in it are written.")] = Path(
        "docs"
    ),
    rego: RegoOption = REGO,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail if a page would change.")] = False,
) -> None:
    """Write a reference page for each rule, and the page for counsel: every rule, its source and its exception.

    Exits with 1 when a rule is not described as required.
    """
    entries, findings = catalogue(policy_folder(rego))
    report(findings, rego)
    made = pages.pages(entries, os.path.relpath(rego, out))
    if check:
        report(pages.drifted(out, made), out)
    else:
        pages.write(out, made)


def _section(console: Console, head: str, entries: Sequence[Entry]) -> None:
    if not entries:
        return
    line(console, head, "bold")
    for entry in entries:
        line(console, f"  {entry.rule.custom.id}  {entry.rule.title}")
        for source in entry.rule.custom.sources:
            line(console, f"      {source.title} ({READ[source.read]})", "dim")


def _shown(console: Console, entry: Entry, rego: Path) -> None:
    rule, custom = entry.rule, entry.rule.custom
    line(console, rule.title, "bold")
    line(console, f"  {custom.statement}")
    console.print()
    facts = [("layer", f"{custom.cls}: {LAYERS[custom.cls]}"), ("why", rule.description)]
    facts += [("answer", " or ".join(ANSWERS[effect] for effect in entry.effects))]
    facts += [("obliges", ", ".join(entry.obligations))] if entry.obligations else []
    facts += [("remedy", custom.remedy), ("relaxed", f"by {entry.relaxed()}")]
    facts += [("source", f"{source.title} ({READ[source.read]})") for source in custom.sources]
    facts += [("reads", f"{path}: {what}" if what else path) for path, what in entry.facts.items()]
    facts += [("file", str(rego / rule.path))]
    for name, text in facts:
        line(console, f"  {name:<8} {text}")
