"""The operator's log, as a gateway in a process of its own writes it."""

from __future__ import annotations

import json
import socket
import ssl
from contextlib import suppress
from pathlib import Path

from tests.support.gateways import Deployment, spawned


def knock(deployed: Deployment) -> None:
    """Connect without a certificate, and read until the gateway hangs up."""
    host, _, port = deployed.address.rpartition(":")
    context = ssl.create_default_context(cadata=deployed.ca.decode("ascii"))
    with (
        suppress(OSError),  # however the gateway hangs up
        socket.create_connection((host, int(port)), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        assert connection.recv(1) == b""


def test_a_stranger_writes_nothing_into_the_log(tmp_path: Path) -> None:
    """Handshakes that fail leave no line: whoever can reach the port can't fill a disk, and every line is JSON."""
    deployed = Deployment.create(tmp_path)
    with spawned(deployed):
        for _ in range(5):
            knock(deployed)
    events = [json.loads(line)["event"] for line in (deployed.folder / "gateway.log").read_text().splitlines()]
    assert events == ["serving", "draining", "stopped"]
