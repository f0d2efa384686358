"""`brightline demo`: shows the main use end to end, as an agency's developer and a reviewer see it.

It starts a real gateway as a process and asks it through the Python client. It shows a permitted call, refusals by
declared use and by content, a required and given approval, and a stolen token. Then it verifies the trail, and finds a
changed byte.
"""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from brightline import (
    Answer,
    ApprovalRequired,
    Ask,
    BrightlineError,
    Client,
    DuplicateRequest,
)
from brightline_verify import database
from brightline_verify.note import Verifier
from brightline_verify.whole import Trust
from gateway import deployment
from gateway.audit import keys
from gateway.cli import show
from gateway.cli.audit import print_report
from gateway.cli.demo_steps import STEPS, Step
from gateway.clock import system_us
from gateway.errors import StartError
from gateway.identity import issue

MARKER = ".brightline-demo"
PATIENCE_S = 120


def demo(
    folder: Annotated[Path, typer.Option(help="Where the demonstration lives; made anew at each run.")] = Path(".demo"),
) -> None:
    """Show the main use end to end. Exits with 0 only if every outcome was as expected.

    The folder is kept, so that you can inspect it: `brightline audit verify --config .demo/gateway.toml`.
    """
    console = Console(soft_wrap=True, highlight=False)
    fresh(folder)
    config = deployment.create(folder, system_us())
    (folder / MARKER).touch()
    console.print(
        f"[bold]Brightline[/] · development deployment in {folder}: CA, certificates, token keys, 3 tenants, log keys"
    )
    with gateway(config) as address:
        console.print(f"gateway on {address}: mutual TLS, bound tokens, policy in Wasm, durable log, loopback model\n")
        failed = [s.title for number, s in enumerate(STEPS, 1) if not _shown(console, number, s, folder, address)]
        if not _approved(console, len(STEPS) + 1, folder, address):
            failed.append("the approval")
    if not _reviewed(console, folder, len(STEPS) + 2):
        failed.append("the review")
    if failed:
        console.print(f"[red]not as expected: {', '.join(failed)}[/]")
        raise typer.Exit(1)
    console.print("[green]every outcome was the expected one[/]")


def _shown(console: Console, number: int, step: Step, folder: Path, address: str) -> bool:
    """Ask, print the response, and return whether it was as expected."""
    console.print(f"[bold]{number}. {step.title}[/]")
    console.print(f'   {step.tenant} asks "{escape(step.ask)}"')
    console.print(f"   declares {step.use.purpose}, {step.use.marking}, autonomy {step.use.autonomy}")
    try:
        with client(folder, step, address) as asking:
            outcome = _asked(asking, step)
    except BrightlineError as error:
        show.result(console, error)
        rules = {rule.id for rule in error.rules}
        right = type(error) is step.expected and (not step.rule or step.rule in rules)
    else:
        show.result(console, outcome)
        right = step.expected is Answer
    console.print()
    return right


def _approved(console: Console, number: int, folder: Path, address: str) -> bool:
    """Have another person approve a held-back request, and check that it is answered once and not a second time."""
    step = next(step for step in STEPS if step.expected is ApprovalRequired)

    def ask(approval_id: str = "") -> Ask:
        use = replace(step.use, approval_id=approval_id)
        return Ask(model="loopback", prompt=step.ask, max_tokens=200, use=use)

    console.print(f"[bold]{number}. another person approves it: the same request, once[/]")
    with client(folder, step, address) as asking, client(folder, step, address, "approver") as approving:
        try:
            waiting = approving.pending()
            why = "Read and agreed: it asks about the board, not for targets."
            given = approving.approve(waiting[0].id, why=why, **ask())
            console.print(f"   approver: {waiting[0].id} of {waiting[0].subject}, approved as {given.approval_id}")
            show.result(console, asking.generate(**ask(given.approval_id)))
            asking.generate(**ask(given.approval_id))
        except BrightlineError as error:
            show.result(console, error)
            console.print()
            return type(error) is DuplicateRequest
    return False


def _asked(client: Client, step: Step) -> Answer:
    if not step.stream:
        return client.generate(model="loopback", prompt=step.ask, use=step.use, max_tokens=200)
    with client.stream(model="loopback", prompt=step.ask, use=step.use, max_tokens=200) as events:
        for event in events:
            if isinstance(event, Answer):
                return event
    raise AssertionError("the client ends a stream with the answer, or raises")


def client(folder: Path, step: Step, address: str, subject: str = "demonstration") -> Client:
    """A client with the step's certificate and token.

    subject: who asks. The subject "approver" gets the approver's role.
    """

    def place(tenant: str) -> Path:
        return folder / "tenants" / tenant

    token_of = step.token_of or step.tenant
    token = issue.mint(
        (folder / "issuer" / "token.key").read_bytes(),
        (place(token_of) / "client.pem").read_bytes(),
        issuer=deployment.ISSUER,
        audience=deployment.AUDIENCE,
        tenant=token_of,
        subject=subject,
        client_id="demonstration",
        now_us=system_us(),
        roles=("approver",) if subject == "approver" else (),
    )
    certificate, key = place(step.tenant) / "client.pem", place(step.tenant) / "client.key"
    return Client(address, ca=folder / "ca.pem", certificate=certificate, key=key, token=token, timeout_s=PATIENCE_S)


def _reviewed(console: Console, folder: Path, number: int) -> bool:
    """Verify the trail. Then change one byte of a record in a copy, and check that the verifier names that record."""
    log, changed = folder / "audit" / "log.db", folder / "changed" / "log.db"
    trust = Trust(Verifier.parse(keys.public_path(folder / "audit" / "log.key").read_text(encoding="ascii")))
    console.print(f"[bold]{number}. a reviewer verifies the trail, with the log and its public key alone[/]")
    report = database.verify(log, trust)
    print_report(console, report)
    shutil.copytree(log.parent, changed.parent, ignore=shutil.ignore_patterns("*.key"))
    index = _change_one_byte(changed)
    console.print(f"\n[bold]{number + 1}. one byte of record {index} is changed, in a copy of the log[/]")
    after = database.verify(changed, trust)
    print_report(console, after)
    console.print()
    return report.problem is None and after.problem is not None and after.problem.index == index


def _change_one_byte(log: Path) -> int:
    """Change a letter of the outcome in the first refusal. Returns the record's index."""
    with closing(sqlite3.connect(log)) as database, database:
        query = "SELECT idx, leaf FROM entries WHERE kind = 'refusal' ORDER BY idx LIMIT 1"
        index, leaf = database.execute(query).fetchone()
        at = leaf.index(b'"outcome":"') + len(b'"outcome":"')
        changed = leaf[:at] + bytes([leaf[at] ^ 1]) + leaf[at + 1 :]
        database.execute("UPDATE entries SET leaf = ? WHERE idx = ?", (changed, index))
    return int(index)


@contextmanager
def gateway(config: Path) -> Iterator[str]:
    """Run a gateway as a process and give its address. At the end the gateway drains and exits."""
    address = config.parent / "address"
    with (config.parent / "gateway.log").open("wb") as log:
        command = [sys.executable, "-P", "-m", "gateway", "serve", "--config", str(config)]
        process = subprocess.Popen(command, stderr=log)  # noqa: S603 - our own program and our own path
        try:
            give_up = time.monotonic() + PATIENCE_S
            while not address.exists():
                if process.poll() is not None or time.monotonic() > give_up:
                    raise StartError(f"the gateway did not start; {log.name} says why")
                time.sleep(0.02)
            yield address.read_text(encoding="ascii").strip()
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE_S)


def fresh(folder: Path) -> None:
    """Remove an earlier demonstration, and nothing else. Raises StartError."""
    if not folder.exists():
        return
    if not (folder / MARKER).exists():
        raise StartError(f"{folder}: exists and is no earlier demonstration; choose another with --folder")
    shutil.rmtree(folder)
