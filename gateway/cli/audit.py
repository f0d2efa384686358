"""`brightline audit`: verifies the whole log, or shows one decision with its proof. Needs only the public key.

Parts of a record are callers' text. Records are printed as ASCII JSON, which can't control a terminal.
"""

from __future__ import annotations

import base64
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.text import Text

from brightline_verify.merkle import ProofError
from brightline_verify.note import Signer
from brightline_verify.report import Problem, Report, UnreadableError, in_words, plain
from brightline_verify.stored import CorruptError, Source
from brightline_verify.stored import verify as verify_stored
from brightline_verify.whole import Trust
from gateway.audit import marks
from gateway.audit.keys import create_log_keys, create_signing_key, create_witness_key, load_signer, public_path
from gateway.audit.sealed.places import create_reviewer_key
from gateway.audit.show import Shown
from gateway.audit.show import show as find
from gateway.canonical import Json
from gateway.cli import terminal
from gateway.cli.log_options import Stored, stored, unusable
from gateway.cli.log_or_gateway import Asked, somewhere, told
from gateway.cli.option_groups import takes
from gateway.config import Audit
from gateway.errors import StartError

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@takes(log=stored)
def verify(*, log: Stored, json_: JsonOption = False) -> None:
    """Check every record, the tree and every signature.

    With --config, if you can read the log's signing key, also check whether the gateway wrote the records after the
    last checkpoint.

    Exits with 0 when everything holds, 1 when something does not, 2 when there is no log or key to read.
    """
    console = Console(highlight=False, soft_wrap=True)
    signer = _signer(log)
    try:
        with Progress(console=console, transient=True, disable=json_ or not console.is_terminal) as bar:
            task = bar.add_task("checking", total=None)

            def tell(done: int, size: int) -> None:
                bar.update(task, completed=done, total=size)

            report = verify_stored(
                log.source,
                Trust(log.verifier),
                processes=os.cpu_count() or 1,
                progress=tell,
                unsigned=signer is not None,
            )
    except UnreadableError as error:
        raise unusable(str(error)) from error
    if signer is not None and log.settings is not None and report.problem is None:
        problem = _unmarked(log.source, signer, log.settings, report.covered)
        report = replace(report, problem=problem, marks=problem is None)
    if json_:
        typer.echo(json.dumps(report.as_json(), indent=2))
    else:
        print_report(console, report)
        if report.marks:
            console.print("  the records after the last checkpoint have the marks of the log's key")
    raise typer.Exit(1 if report.problem else 0)


def _signer(log: Stored) -> Signer | None:
    """The log's signer, or None if this user can't read the key, as auditors can't."""
    if log.settings is None:
        return None
    try:
        return load_signer(log.settings.signing_key, log.settings.origin)
    except StartError:
        return None


def _unmarked(log: Source, signer: Signer, settings: Audit, covered: int) -> Problem | None:
    try:
        return marks.look(log, signer, marks.Tail(marks.tail_path(settings.path)), covered)
    except (CorruptError, UnreadableError) as error:
        return Problem(None, "", str(error))
    except OSError as error:
        raise unusable(str(error)) from error


@takes(log=somewhere)
def show(
    *,
    decision_id: Annotated[str, typer.Argument(help="As in the answer or the refusal.")],
    log: Stored | Asked,
    json_: JsonOption = False,
) -> None:
    """Show the records of a decision, each with the proof that it is in the log.

    To ask a running gateway instead of reading the log's files, give --key with --address, or with --deployment and
    --auditor-of.

    Exits with 0, with 1 when there is no record or one can't be proved, 2 when there is no log or key to read, 3 when
    not authenticated, 4 when the gateway refuses or can't answer.
    """
    found = proved(log, decision_id)
    if json_:
        typer.echo(json.dumps([_shown_json(one) for one in found], indent=2))
        return
    console = Console(highlight=False, soft_wrap=True)
    for one in found:
        _print_shown(console, one)


def proved(log: Stored | Asked, decision_id: str, note: bytes | None = None) -> list[Shown]:
    """The records of a decision with their proofs. Exits as `show` does. note: the checkpoint to prove them under."""
    if isinstance(log, Asked):
        if note is not None:
            raise unusable("--cosigned: goes with a log's files")
        with told(log):
            return log.proved(decision_id)
    try:
        found = find(log.source, log.verifier, decision_id, note)
    except UnreadableError as error:
        raise unusable(str(error)) from error
    except ProofError as error:
        typer.echo(f"error: the log does not prove this decision: {plain(str(error))}", err=True)
        raise typer.Exit(1) from error
    if not found:
        typer.echo(f"error: no record of decision {plain(decision_id)}", err=True)
        raise typer.Exit(1)
    return found


def keygen(  # noqa: PLR0917 - one parameter for each option
    origin: Annotated[str, typer.Argument(help="The log's name in every checkpoint, for example agency.example/one.")],
    signing_key: Annotated[Path, typer.Option(help="The file to make; its public half is `<file>.pub`.")] = Path(
        "log.key"
    ),
    commitment_key: Annotated[Path, typer.Option(help="The file to make.")] = Path("commitment.key"),
    witness: Annotated[
        Path | None, typer.Option(help="Make a witness's key in this file instead; the name is the witness's.")
    ] = None,
    reviewer: Annotated[
        Path | None, typer.Option(help="Make a reviewer's key in this file instead; the name is the reviewer's.")
    ] = None,
    openings: Annotated[
        Path | None, typer.Option(help="Make the key of a log of openings in this file instead.")
    ] = None,
) -> None:
    """Make the keys of a new log: one signs its checkpoints, one keys its commitments to content.

    Existing files are never replaced. Give `<signing key>.pub` to auditors over a separate, trusted channel. With
    `--witness`, make the key of a witness, which runs on a host of its own. A reviewer's key opens sealed content
    together with another reviewer's key; it is encrypted with the passphrase that you enter, unless that is empty.

    Examples: `brightline audit keygen agency.example/one`, `brightline audit keygen witness.example/w --witness
    witness.key`
    """
    if reviewer is not None:
        again = typer.prompt("passphrase", default="", hide_input=True, confirmation_prompt=True, show_default=False)
        create_reviewer_key(reviewer, origin, again.encode())
        typer.echo(f"made {reviewer} and {public_path(reviewer)}")
        return
    if openings is not None:
        create_signing_key(openings, origin)
        typer.echo(f"made {openings} and {public_path(openings)}")
        return
    if witness is not None:
        create_witness_key(witness, origin)
        typer.echo(f"made {witness} and {public_path(witness)}")
        return
    create_log_keys(signing_key, origin, commitment_key)
    typer.echo(f"made {signing_key}, {public_path(signing_key)} and {commitment_key}")


def print_report(console: Console, report: Report) -> None:
    """Print a report for people."""
    verdict, *lines = in_words(report)
    console.print(Text(verdict, style="bold red" if report.problem else "bold green"))
    console.print(Text("\n".join(lines)))


def _print_shown(console: Console, one: Shown) -> None:
    console.print(Text(f"record {one.index}", style="bold"))
    console.print(Text(json.dumps(one.record, indent=2)))
    if one.proof is None:
        console.print("  not yet under a checkpoint; ask again in a second\n")
        return
    console.print(f"  in the log: {len(one.proof.hashes)} hashes lead to the signed root")
    for node in one.proof.hashes:
        console.print(f"    {base64.b64encode(node).decode()}")
    for line in one.proof.note.decode().split("\n"):
        terminal.line(console, f"    {line}".rstrip())


def _shown_json(one: Shown) -> dict[str, Json]:
    return {
        "index": one.index,
        "record": one.record,
        "proof": [base64.b64encode(node).decode() for node in one.proof.hashes] if one.proof else [],
        "checkpoint": one.proof.note.decode() if one.proof else None,
    }
