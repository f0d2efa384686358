"""`brightline audit`: check the whole log, or show one decision with its proof. Needs no secret, only the public key.

What a record says was in part written by callers: it is printed as ASCII JSON, which no terminal obeys.
"""

from __future__ import annotations

import base64
import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.text import Text

from gateway import config as configuration
from gateway.audit import verify as verifying
from gateway.audit.keys import create_commitment_key, create_signing_key, public_path
from gateway.audit.merkle import ProofError
from gateway.audit.note import NoteError, Verifier
from gateway.audit.verify import Report, Shown, UnreadableError
from gateway.canonical import Json
from gateway.errors import StartError

app = typer.Typer(help="Check the audit log, look decisions up in it, and make its keys.", no_args_is_help=True)

ConfigOption = Annotated[Path | None, typer.Option(help="The gateway's configuration, which names log and key.")]
LogOption = Annotated[Path | None, typer.Option(help="The log itself, where there is no configuration.")]
KeyOption = Annotated[Path | None, typer.Option(help="With --log: its public key, the .pub file beside the key.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def verify(
    config: ConfigOption = None, log: LogOption = None, key: KeyOption = None, json_: JsonOption = False
) -> None:
    """Check every record, the tree and every signature.

    Exits with 0 when everything holds, 1 when something does not, 2 when there is no log or key to read.
    """
    path, verifier = _which(config, log, key)
    console = Console(highlight=False, soft_wrap=True)
    try:
        with Progress(console=console, transient=True, disable=json_ or not console.is_terminal) as bar:
            task = bar.add_task("checking", total=None)
            report = verifying.verify(path, verifier, lambda done, size: bar.update(task, completed=done, total=size))
    except UnreadableError as error:
        raise _unusable(str(error)) from error
    if json_:
        typer.echo(json.dumps({"ok": report.problem is None, **asdict(report)}, indent=2))
    else:
        print_report(console, report)
    raise typer.Exit(1 if report.problem else 0)


@app.command()
def show(
    decision_id: Annotated[str, typer.Argument(help="As in the answer or the refusal.")],
    config: ConfigOption = None,
    log: LogOption = None,
    key: KeyOption = None,
    json_: JsonOption = False,
) -> None:
    """Show the records of a decision, each with the proof that it is in the log.

    Exits with 0, with 1 when there is none or one can't be proved, 2 when there is no log or key to read.
    """
    path, verifier = _which(config, log, key)
    try:
        found = verifying.show(path, verifier, decision_id)
    except UnreadableError as error:
        raise _unusable(str(error)) from error
    except ProofError as error:
        typer.echo(f"error: the log does not prove this decision: {_plain(str(error))}", err=True)
        raise typer.Exit(1) from error
    if not found:
        typer.echo(f"error: no record of decision {_plain(decision_id)}", err=True)
        raise typer.Exit(1)
    if json_:
        typer.echo(json.dumps([_shown_json(one) for one in found], indent=2))
        return
    console = Console(highlight=False, soft_wrap=True)
    for one in found:
        _print_shown(console, one)


@app.command()
def keygen(
    origin: Annotated[str, typer.Argument(help="The log's name in every checkpoint, for example agency.example/one.")],
    signing_key: Annotated[Path, typer.Option(help="The file to make; its public half is `<file>.pub`.")] = Path(
        "log.key"
    ),
    commitment_key: Annotated[Path, typer.Option(help="The file to make.")] = Path("commitment.key"),
) -> None:
    """Make the keys of a new log: one signs its checkpoints, one keys its commitments to content.

    Neither replaces a file. Give `<signing key>.pub` to auditors by a way of its own.

    Example: `brightline audit keygen agency.example/one`
    """
    create_signing_key(signing_key, origin)
    create_commitment_key(commitment_key)
    typer.echo(f"made {signing_key}, {public_path(signing_key)} and {commitment_key}")


def print_report(console: Console, report: Report) -> None:
    """Print a report for people."""
    problem = report.problem
    if problem is not None:
        where = "" if problem.index is None else f"record {problem.index}, decision {_plain(problem.decision_id)}: "
        console.print(Text("NOT VERIFIED", style="bold red"), Text(report.origin))
        console.print(Text(f"  {where}{_plain(problem.what)}"))
        console.print(f"  the log has {report.size} records; nothing after the first problem was checked")
        return
    console.print(Text("VERIFIED", style="bold green"), Text(report.origin))
    console.print(f"  {report.size} records, {report.size - report.covered} of them after the last checkpoint")
    console.print(f"  {report.checkpoints} checkpoints, each signature and root holds")
    console.print(f"  {len(report.open_intents)} intents without an outcome yet")
    for decision_id in report.open_intents:
        console.print(Text(f"    {_plain(decision_id)}"))


def _print_shown(console: Console, one: Shown) -> None:
    console.print(Text(f"record {one.index}", style="bold"))
    console.print(Text(json.dumps(one.record, indent=2)))
    if one.checkpoint is None:
        console.print("  not yet under a checkpoint; ask again in a second\n")
        return
    console.print(f"  in the log: {len(one.proof)} hashes lead to the signed root")
    for node in one.proof:
        console.print(f"    {base64.b64encode(node).decode()}")
    console.print(Text("".join(f"    {line}\n" for line in one.checkpoint.decode().splitlines())))


def _shown_json(one: Shown) -> dict[str, Json]:
    return {
        "index": one.index,
        "record": one.record,
        "proof": [base64.b64encode(node).decode() for node in one.proof],
        "checkpoint": one.checkpoint.decode() if one.checkpoint else None,
    }


def _which(config: Path | None, log: Path | None, key: Path | None) -> tuple[Path, Verifier]:
    """The log and its public key. Exits with 2 when the options don't name both, or the key can't be read."""
    try:
        match config, log, key:
            case Path(), None, None:
                settings = configuration.load(config).audit
                log, key = settings.path, public_path(settings.signing_key)
            case None, Path(), Path():
                pass
            case _:
                raise _unusable("give --config, or --log and --key")
        return log, Verifier.parse(configuration.read_public(key, "--key").decode("utf-8"))
    except (StartError, NoteError, UnicodeDecodeError) as error:
        raise _unusable(str(error)) from error


def _unusable(text: str) -> typer.Exit:
    typer.echo(f"error: {text}", err=True)
    return typer.Exit(2)


def _plain(text: str) -> str:
    return json.dumps(text)[1:-1]
