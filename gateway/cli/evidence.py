"""`brightline audit export`, `extract`, `prove` and `tiles`: evidence that others can verify themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from brightline import RecordFilter
from brightline_verify.report import UnreadableError
from gateway import atomic_files
from gateway.audit import export as exporting
from gateway.audit import tiles as tiling
from gateway.audit.archive import Archive
from gateway.audit.filter import Filter
from gateway.audit.index import Held, StaleError
from gateway.audit.page_tokens import PageTokens
from gateway.cli.audit import proved
from gateway.cli.log_options import MOST, Stored, stored, unusable
from gateway.cli.log_or_gateway import Asked, somewhere, told
from gateway.cli.option_groups import takes
from gateway.cli.search import wanted
from gateway.siem import exporting as events

Cosigned = Annotated[
    Path | None, typer.Option(help="A checkpoint that witnesses signed, to be used in place of the log's own.")
]


@takes(log=stored)
def export(
    *,
    file: Annotated[Path, typer.Argument(help="The file to make.")],
    log: Stored,
    first: Annotated[int, typer.Option(help="The record to begin with.", min=0, max=MOST)] = 0,
    until: Annotated[
        int | None, typer.Option(help="End with the last checkpoint over no more records.", min=0, max=MOST)
    ] = None,
    cosigned: Cosigned = None,
    format_: Annotated[
        Literal["jsonl", "ocsf", "cef"], typer.Option("--format", help="jsonl has the proofs; the others are events.")
    ] = "jsonl",
) -> None:
    """Write the records with their checkpoints into a file for `brightline-verify`. Replaces no file.

    `--format ocsf` and `--format cef` instead write one event in each line for each record under a checkpoint, for
    systems that collect events. Events carry no proof, so the whole log is verified first. Exits with 0, with 2 when
    there is nothing to export, it does not verify, or it can't be written.
    """
    try:
        notes = [cosigned.read_bytes()] if cosigned else []
        with atomic_files.new(file) as out:
            if format_ == "jsonl":
                size = exporting.write(log.source, log.verifier, out, first=first, until=until, cosigned=notes)
            else:
                size = events.write(log.source, log.verifier, out, format_, first=first, until=until)
    except (UnreadableError, OSError) as error:
        raise unusable(str(error)) from error
    typer.echo(f"made {file}: records {first} to {size - 1}")


@takes(log=somewhere, looked_for=wanted)
def extract(
    *, file: Annotated[Path, typer.Argument(help="The file to make.")], log: Stored | Asked, looked_for: Filter
) -> None:
    """Write the matching records, each with its proof, into a file for `brightline-verify records`. Replaces no file.

    Records that no checkpoint covers yet are left out. With --config, records of other gateways' logs in the same
    PostgreSQL database are included. To ask a running gateway instead of reading the log's files, give --address, or
    --deployment and --auditor-of.

    Example: `brightline audit extract refusals.jsonl --kind refusal --since 2026-11-01 --config gateway.toml`

    Exits with 0, with 2 when something can't be read, proved or written, 3 when not authenticated, 4 when the gateway
    refuses or can't answer.
    """
    try:
        with told(log), atomic_files.new(file) as out:
            for piece in _pieces(log, looked_for):
                out.write(piece)
    except (UnreadableError, StaleError, OSError) as error:
        raise unusable(str(error)) from error
    typer.echo(f"made {file}")


def _pieces(log: Stored | Asked, looked_for: Filter) -> Iterator[bytes]:
    if isinstance(log, Asked):
        return log.client.export(RecordFilter(**asdict(looked_for)))
    own = Held(log.source, log.index)
    keys = {verifier.name: verifier for verifier in log.with_keys().values()}
    return Archive(log.together, own, keys, PageTokens(b""), unindexed=None).exported(looked_for)


@takes(log=somewhere)
def prove(
    *,
    decision_id: Annotated[str, typer.Argument(help="As in the answer or the refusal.")],
    log: Stored | Asked,
    folder: Annotated[Path, typer.Option("--to", help="The folder for the files.")] = Path(),
    cosigned: Cosigned = None,
) -> None:
    """Write each record of a decision, and the proof that it is in the log, into files for `brightline-verify`.

    To ask a running gateway instead of reading the log's files, give --key with --address, or with --deployment and
    --auditor-of.

    Exits with 0, with 1 when there is no record or one can't be proved yet, 2 when something can't be read or written,
    3 when not authenticated, 4 when the gateway refuses or can't answer.
    """
    try:
        for one in proved(log, decision_id, cosigned.read_bytes() if cosigned else None):
            if one.proof is None:
                typer.echo(f"error: record {one.index} is not under that checkpoint", err=True)
                raise typer.Exit(1)
            name = f"record-{one.index}"
            atomic_files.replace(folder / f"{name}.json", one.leaf)
            atomic_files.replace(folder / f"{name}.tlog-proof", one.proof.text())
            typer.echo(f"made {folder / name}.json and {folder / name}.tlog-proof")
    except OSError as error:
        raise unusable(str(error)) from error


@takes(log=stored)
def tiles(*, folder: Annotated[Path, typer.Argument(help="The folder to publish in.")], log: Stored) -> None:
    """Publish the log as static files that other programs can read (C2SP tlog-tiles), or bring them up to date.

    The files include the records: make the folder readable only for those who may see them. Exits with 0, with 2 when
    something can't be read or written, or belongs to another log.
    """
    try:
        size = tiling.publish(log.source, log.verifier, folder)
    except (UnreadableError, OSError) as error:
        raise unusable(str(error)) from error
    typer.echo(f"published {size} records in {folder}")
