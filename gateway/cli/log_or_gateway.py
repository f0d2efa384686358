"""Options of commands that either read a log's files or ask a gateway with an auditor's token."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from brightline import AuditClient, BrightlineError, NotFound, RecordFilter
from brightline_verify.merkle import ProofError
from brightline_verify.note import NoteError, Verifier
from brightline_verify.proof import Proof
from gateway.audit.filter import Filter
from gateway.audit.keys import load_verifier
from gateway.audit.search import Found
from gateway.audit.show import Shown, said
from gateway.cli import show
from gateway.cli import token as development
from gateway.cli.log_options import Stored, stored, unusable
from gateway.cli.options import word
from gateway.cli.terminal import safe
from gateway.errors import StartError

_GATEWAY = "A gateway to ask instead of a log's files"
ROLE = "auditor"


@dataclass(frozen=True, slots=True)
class Asked:
    """A gateway to ask, and the public key of its log, if given."""

    client: AuditClient
    verifier: Verifier | None

    def page(self, looked_for: Filter, most: int, word: str) -> tuple[list[Found], str]:
        """Records and the token of the next page. Raises BrightlineError."""
        wanted = RecordFilter(**asdict(looked_for))
        found = self.client.search(wanted, page_size=most, page_token=word)
        records = [Found(r.origin, r.index, r.json, r.record) for r in found.records]
        return records, found.next_page_token

    def proved(self, decision_id: str) -> list[Shown]:
        """The records of a decision, each proved. Raises BrightlineError, ProofError, NoteError.

        1 each record is one of that decision
        2 its proof is valid
        3 the proof is for the stated index
        4 there is at least one record
        """
        if self.verifier is None:
            raise unusable("--key: give the log's public key, by which the proofs are checked")
        shown = []
        for one in self.client.prove(decision_id):
            index, leaf = one.record.index, one.record.json
            record = said(index, leaf, decision_id)  # 1
            proof = Proof.parse(one.proof) if one.proof else None
            if proof is not None:
                proof.verify(leaf, self.verifier)  # 2
                if proof.index != index:  # 3
                    raise ProofError(f"entry {index} is proved to be entry {proof.index}")
            shown.append(Shown(index, leaf, record, proof))
        if not shown:  # 4
            raise ProofError("the answer has no record")
        return shown


def somewhere(  # noqa: PLR0917 - one parameter for each option
    config: Annotated[Path | None, typer.Option(help="The gateway's configuration, which names log and key.")] = None,
    log: Annotated[Path | None, typer.Option(help="The log itself, where there is no configuration.")] = None,
    key: Annotated[
        Path | None, typer.Option(help="The log's public key, the .pub file beside the key; not with --config alone.")
    ] = None,
    origin: Annotated[
        str | None, typer.Option(help="With --config and --key: another gateway's log in the same PostgreSQL.")
    ] = None,
    address: Annotated[str, typer.Option(help="Its host:port.", rich_help_panel=_GATEWAY)] = "",
    ca: Annotated[
        Path | None, typer.Option(help="PEM file of the CA of its certificate.", rich_help_panel=_GATEWAY)
    ] = None,
    cert: Annotated[Path | None, typer.Option(help="PEM file of your certificate.", rich_help_panel=_GATEWAY)] = None,
    cert_key: Annotated[
        Path | None, typer.Option(help="PEM file of its private key.", rich_help_panel=_GATEWAY)
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(help="File with your access token, of an auditor's role.", rich_help_panel=_GATEWAY),
    ] = None,
    deployment: Annotated[
        Path | None, typer.Option(help="Or a development deployment that serves.", rich_help_panel=_GATEWAY)
    ] = None,
    auditor_of: Annotated[
        str, typer.Option(help="With --deployment: the tenant whose auditor asks.", rich_help_panel=_GATEWAY)
    ] = "",
) -> Stored | Asked:
    """The log or the gateway. Exits with 2 if the options name neither or both."""
    remote = (address, ca, cert, cert_key, token_file)
    if not any((*remote, deployment, auditor_of)):
        return stored(config, log, key, origin)
    if config or log or origin:
        raise unusable("give a log's files, or a gateway to ask")
    try:
        verifier = load_verifier(key, "--key") if key else None
        if deployment is not None and auditor_of and not any(remote[1:]):
            client = development.connected(AuditClient, deployment, auditor_of, address, roles=(ROLE,))
            return Asked(client, verifier)
        if deployment is None and address and ca and cert and cert_key and token_file:
            token = partial(word, token_file)
            return Asked(AuditClient(address, ca=ca, certificate=cert, key=cert_key, token=token), verifier)
    except (StartError, OSError, ValueError) as error:
        raise unusable(str(error)) from error
    raise unusable("give --deployment and --auditor-of, or all of --address --ca --cert --cert-key --token-file")


@contextmanager
def told(where: Stored | Asked) -> Iterator[None]:
    """Print why a gateway refused or could not answer, and exit: 1 if not found, otherwise 3 and 4 as `ask` does."""
    try:
        yield
    except BrightlineError as error:
        show.failure(Console(stderr=True, highlight=False), error)
        raise typer.Exit(1 if isinstance(error, NotFound) else show.outcome(error)[1]) from None
    except (ProofError, NoteError) as error:
        typer.echo(f"error: the gateway does not prove this decision: {safe(str(error))}", err=True)
        raise typer.Exit(1) from error
    finally:
        if isinstance(where, Asked):
            where.client.close()
