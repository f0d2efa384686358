"""`brightline audit`: check the whole log, or show one decision with its proof. Needs no secret, only the public key.

What a record says was in part written by callers: it is printed as ASCII JSON, which no terminal obeys.
"""

from __future__ import annotations

import base64
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.text import Text

from brightline_verify import database
from brightline_verify.merkle import ProofError
from brightline_verify.note import NoteError, Verifier
from brightline_verify.report import Report, UnreadableError, in_words, plain
from brightline_verify.whole import Trust
from gateway import config as configuration
from gateway.audit import export as exporting
from gateway.audit.keys import create_commitment_key, create_signing_key, public_path
from gateway.audit.show import Shown
from gateway.audit.show import show as find
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

            def tell(done: int, size: int) -> None:
                bar.update(task, completed=done, total=size)

            report = database.verify(path, Trust(verifier), processes=os.cpu_count() or 1, progress=tell)
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
        found = find(path, verifier, decision_id)
    except UnreadableError as error:
        raise _unusable(str(error)) from error
    except ProofError as error:
        typer.echo(f"error: the log does not prove this decision: {plain(str(error))}", err=True)
        raise typer.Exit(1) from error
    if not found:
        typer.echo(f"error: no record of decision {plain(decision_id)}", err=True)
        raise typer.Exit(1)
    if json_:
        typer.echo(json.dumps([_shown_json(one) for one in found], indent=2))
        return
    console = Console(highlight=False, soft_wrap=True)
    for one in found:
        _print_shown(console, one)


@app.command()
def export(  # noqa: PLR0917 - options of a command
    file: Annotated[Path, typer.Argument(help="The file to make.")],
    config: ConfigOption = None,
    log: LogOption = None,
    key: KeyOption = None,
    first: Annotated[int, typer.Option(help="The record to begin with.", min=0)] = 0,
    until: Annotated[int | None, typer.Option(help="End with the last checkpoint over no more records.")] = None,
    cosigned: Annotated[
        list[Path] | None, typer.Option(help="A checkpoint that a witness signed; its signature goes along. Repeat it.")
    ] = None,
) -> None:
    """Write the records with their checkpoints into a file for `brightline-verify`. Replaces no file.

    Exits with 0, with 2 when there is nothing to export or it can't be written.
    """
    path, verifier = _which(config, log, key)
    try:
        notes = [note.read_bytes() for note in cosigned or ()]
        with file.open("xb") as out:
            size = exporting.write(path, verifier, out, first=first, until=until, cosigned=notes)
    except (UnreadableError, OSError) as error:
        raise _unusable(str(error)) from error
    typer.echo(f"made {file}: records {first} to {size - 1}")


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
    verdict, *lines = in_words(report)
    console.print(Text(verdict, style="bold red" if report.problem else "bold green"))
    console.print(Text("\n".join(lines)))


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
