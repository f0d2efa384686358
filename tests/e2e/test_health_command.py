"""`brightline health`: what a probe without a certificate is told."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.gateways import Deployment, serving, spawned
from tests.support.waiting import wait_for


def asked(deployed: Deployment, *more: str) -> tuple[int, str]:
    """The exit code of the command, and what it printed."""
    command = [sys.executable, "-m", "gateway", "health", "--config", str(deployed.config), *more]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("workers", [1, 2])
def test_a_gateway_that_serves_says_so(tmp_short: Path, workers: int) -> None:
    """Of one process and of several it is known, without a certificate; what a killed one left behind says nothing."""
    deployed = Deployment.create(tmp_short)
    deployed.edit("[listener]\n", f"[listener]\nworkers = {workers}\n")
    code, said = asked(deployed)
    assert (code, "nobody answers" in said) == (1, True)
    with spawned(deployed) as process:
        assert asked(deployed) == asked(deployed, "--live") == (0, "SERVING\n")
        process.send_signal(signal.SIGKILL)
        process.wait(60)
        left = [*deployed.folder.glob(".line-*/door")]
        assert workers > 1 or left
        wait_for(lambda: asked(deployed, "--timeout", "0.5")[0] == 1, 60)  # a worker ends once its keeper is gone
    with spawned(deployed):
        assert asked(deployed) == (0, "SERVING\n")


async def test_one_that_can_permit_nothing_lives(tmp_short: Path) -> None:
    """While no call can be permitted, the one who sends calls hears it, and the one who restarts hears nothing new."""
    async with serving(Deployment.create(tmp_short)) as running:
        assert running.gate is not None
        running.gate.draining = True
        assert await asyncio.to_thread(asked, running) == (1, "NOT_SERVING\n")
        assert await asyncio.to_thread(asked, running, "--live") == (0, "SERVING\n")


def test_a_way_in_that_is_elsewhere_is_said(tmp_path: Path) -> None:
    """Where the socket is not beside the ledger, the command says which key is why, and exits with 2."""
    deployed = Deployment.create(tmp_path)
    (deployed.folder / ("long" * 20)).mkdir()
    deployed.edit('ledger = "', f'ledger = "{"long" * 20}/')
    code, said = asked(deployed)
    assert (code, said.startswith("error: identity.ledger: the path ")) == (2, True)
