"""`brightline release demo`: two holders and one gateway. Only what both sign comes in force.

A real gateway, as a process, reads a real repository. The demonstration shows a tightening that both sign, a
restriction that one holder signs alone, a loosening that lacks a signature but is published by force, and a rollback of
the repository.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from brightline import Answer, BrightlineError
from brightline_verify import database
from brightline_verify.note import Verifier
from brightline_verify.whole import Trust
from gateway import deployment
from gateway.audit import keys
from gateway.canonical import canonical
from gateway.cli import demo, demo_steps, release_diff
from gateway.cli.audit import print_report
from gateway.clock import system_us
from gateway.errors import StartError
from gateway.release import staging
from gateway.release.documents import TENANTS
from gateway.release.parts import HOLDERS
from gateway.release.repository import Repository

TENANT = demo_steps.LOGISTICS
PURPOSE = "logistics_planning"
MORE = "foreign_intelligence_analysis"


class Forced(Repository):
    """A repository that publishes without all signatures, as its operator could: the operator has the online key."""

    def missing(self, role: str) -> list[str]:  # noqa: ARG002 - whatever it is
        """No signature counts as missing."""
        return []


@dataclass
class Shown:
    """The state of the demonstration. wrong: the steps with an unexpected outcome."""

    console: Console
    folder: Path
    address: str = ""
    wrong: list[str] = field(default_factory=list)

    @property
    def repository(self) -> Repository:
        """The repository in which both propose and publish."""
        return Repository(self.folder / deployment.REPOSITORY)

    def expect(self, what: str, holds: bool) -> None:
        """Print one outcome, and remember it if it is unexpected."""
        self.console.print(
            f"   [green]as expected[/]: {escape(what)}" if holds else f"   [red]NOT as expected[/]: {what}"
        )
        if not holds:
            self.wrong.append(what)

    def permitted(self) -> bool:
        """Whether the tenant's question is permitted now."""
        step = demo_steps.Step("", TENANT, "How many trucks do 40 pallets need?", demo_steps.used(PURPOSE), Answer)
        try:
            with demo.client(self.folder, step, self.address) as client:
                client.generate(model="loopback", prompt=step.ask, use=step.use, max_tokens=50)
        except BrightlineError as error:
            names = ", ".join(rule.id for rule in error.rules)
            self.console.print(f"   {TENANT} asks for {PURPOSE}: refused by {names or error.reason}")
            return False
        self.console.print(f"   {TENANT} asks for {PURPOSE}: permitted")
        return True

    def state(self) -> dict[str, Any]:
        """What the gateway reports as in force."""
        found: dict[str, Any] = json.loads((self.folder / deployment.STATE).read_bytes())
        return found

    def refreshed(self) -> str:
        """Have the gateway refresh. Returns why it refused the repository's state; empty if it accepted it."""
        before = self.state()
        os.kill(int(before["pid"]), signal.SIGHUP)
        give_up = time.monotonic() + demo.PATIENCE_S
        while (after := self.state())["tried"] == before["tried"]:
            if time.monotonic() > give_up:
                raise StartError("the gateway does not answer to SIGHUP")
            time.sleep(0.02)
        trouble = str(after["trouble"])
        self.console.print(f"   the gateway looks: {escape('refused: ' + trouble) if trouble else 'in force'}")
        return trouble

    def stage(self, change: Callable[[set[str]], set[str]]) -> None:
        """Propose other purposes for the tenant, and show the effect."""
        published = self.repository.agreed()
        document = json.loads(published[TENANTS])
        for tenant in document["tenants"]:
            if tenant["id"] == TENANT:
                tenant["attributes"]["purposes"] = sorted(change(set(tenant["attributes"]["purposes"])))
        draft = self.folder / "tenants.json"
        draft.write_bytes(canonical(document))
        made = staging.files(published, tenants=draft)
        self.repository.stage(made, release_diff.notes(published, made), datetime.now(UTC), 30)
        release_diff.diff(self.repository.folder)

    def sign(self, holder: str) -> None:
        """Sign with the holder's release key."""
        signed = self.repository.sign(deployment.signer(self.folder, holder, "release"))
        self.console.print(f"   {holder} signs {', '.join(signed)}")

    def publish(self, repository: Repository) -> None:
        """Publish what is staged, as the agency."""
        repository.publish(deployment.signer(self.folder, "agency", "online"), datetime.now(UTC), deployment.LASTING)


def demo_release(
    folder: Annotated[Path, typer.Option(help="Where it lives; made anew at each run.")] = Path(".demo-release"),
) -> None:
    """Show what two holders can and can't do. Exits with 0 only if every outcome was as expected."""
    console = Console(soft_wrap=True, highlight=False)
    demo.fresh(folder)
    config = deployment.create(folder, system_us())
    (folder / demo.MARKER).touch()
    shown = Shown(console, folder)
    console.print(
        f"[bold]Brightline[/] · two holders, provider and agency; their keys are in {folder / deployment.SIGNERS}"
    )
    with demo.gateway(config) as shown.address:
        _tightening(shown)
        _alone(shown)
        older = shutil.copytree(shown.repository.folder, folder / "older")
        _loosening(shown)
        _rollback(shown, older)
    _restart(shown, config)
    _records(shown)
    if shown.wrong:
        console.print(f"[red]not as expected: {escape('; '.join(shown.wrong))}[/]")
        raise typer.Exit(1)
    console.print("[green]every outcome was the expected one[/]")


def _tightening(shown: Shown) -> None:
    shown.console.print("\n[bold]1. both agreed on the first release, and the gateway has it in force[/]")
    shown.expect("a use that both agreed on is permitted", shown.permitted())
    shown.console.print(f"\n[bold]2. a tightening: {PURPOSE} is taken from {TENANT}; both look at it and sign[/]")
    shown.stage(lambda purposes: purposes - {PURPOSE})
    for holder in HOLDERS:
        shown.sign(holder)
    shown.publish(shown.repository)
    shown.expect("it is in force", not shown.refreshed())
    shown.expect("the use is refused now", not shown.permitted())


def _alone(shown: Shown) -> None:
    shown.console.print("\n[bold]3. the provider alone takes something away: the model[/]")
    document = canonical({"format": 1, "models": ["loopback"]})
    shown.repository.restrict("provider", document, datetime.now(UTC))
    shown.sign("provider")
    shown.publish(shown.repository)
    shown.expect("it is in force without the agency's signature", not shown.refreshed())


def _loosening(shown: Shown) -> None:
    shown.console.print(f"\n[bold]4. a loosening: the agency wants {PURPOSE} and {MORE}; the provider does not sign[/]")
    shown.stage(lambda purposes: purposes | {PURPOSE, MORE})
    shown.expect(
        "the computed effect says that it loosens", shown.repository.custom(staged=True)["effect"]["looser"] > 0
    )
    shown.sign("agency")
    try:
        shown.publish(shown.repository)
        shown.expect("the tool refuses to publish it", holds=False)
    except StartError as error:
        shown.console.print(f"   brightline release publish: {escape(str(error).partition(': ')[2])}")
        shown.expect("the tool refuses to publish it", holds=True)
    shown.console.print("   the agency publishes it by hand: it has the online key")
    before = shown.state()["release"]
    shown.publish(Forced(shown.repository.folder))
    shown.expect("the gateway refuses it", "targets was signed by 1/2 keys" in shown.refreshed())
    shown.expect("what was in force stays", shown.state()["release"] == before and not shown.permitted())


def _rollback(shown: Shown, older: Path) -> None:
    shown.console.print("\n[bold]5. both sign what they agreed on before, without the restriction[/]")
    shown.stage(lambda purposes: purposes)
    for holder in HOLDERS:
        shown.sign(holder)
    shown.publish(shown.repository)
    shown.expect("it is in force", not shown.refreshed())
    shown.console.print("\n[bold]6. a rollback: somebody serves the repository as it was after the third step[/]")
    shutil.rmtree(shown.repository.folder)
    shutil.copytree(older, shown.repository.folder)
    shown.expect("the gateway refuses the older state", "BadVersionNumberError" in shown.refreshed())
    shutil.rmtree(shown.folder / "state")
    shown.console.print("   its trusted metadata is removed, too: TUF alone would now believe the older state")
    shown.expect("its log remembers, and refuses it", "which the log says was in force" in shown.refreshed())


def _restart(shown: Shown, config: Path) -> None:
    shown.console.print("\n[bold]7. a restart with the older state[/]")
    command = [sys.executable, "-P", "-m", "gateway", "serve", "--config", str(config)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=demo.PATIENCE_S)  # noqa: S603 - our own program
    except subprocess.TimeoutExpired:
        shown.expect("the gateway does not start", holds=False)
        return
    shown.console.print(f"   {escape(done.stderr.strip().splitlines()[-1] if done.stderr else '')}")
    refused = done.returncode == 2 and "which the log says was in force" in done.stderr
    shown.expect("the gateway does not start", refused)


def _records(shown: Shown) -> None:
    shown.console.print("\n[bold]8. the log has all of it[/]")
    log = shown.folder / "audit/log.db"
    with closing(sqlite3.connect(f"{log.absolute().as_uri()}?mode=ro", uri=True)) as db:
        query = "SELECT leaf FROM entries WHERE kind IN ('start', 'release') ORDER BY idx"
        records = [json.loads(row[0]) for row in db.execute(query)]
    for record in records:
        release = record["release"] or {}
        signed = [f"{s['role']}: {s['holder']}" for s in release.get("signatures", [])]
        what = f"release {release.get('digest', '')[:12]} signed by {', '.join(signed)}" if release else record["why"]
        shown.console.print(f"   {record['kind']:8} {record.get('outcome', ''):10} {escape(what)}")
    outcomes = [record.get("outcome", "start") for record in records]
    expected = ["start", "completed", "completed", "refused", "completed", "refused", "refused"]
    shown.expect("three activations and three refusals, in their order", outcomes == expected)
    trust = Trust(Verifier.parse(keys.public_path(shown.folder / "audit/log.key").read_text(encoding="ascii")))
    report = database.verify(log, trust)
    print_report(shown.console, report)
    shown.expect("the log holds", report.problem is None)
