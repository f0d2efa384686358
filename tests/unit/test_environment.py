"""No variable says whom the gateway believes, whom it asks, or who else learns what callers send."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

from tests.support import pki

TRUST = """
from gateway.config import Policy, believing
from gateway.pdp.opa import _tls

contexts = [believing(None, "identity.issuers.ca"), _tls(Policy())]
print([c.keylog_filename for c in contexts], [c.get_ca_certs() for c in contexts])
"""

STORE = """
import sys
from gateway.audit.postgres.connection import PostgresError, Server

try:
    Server(f"host=/nowhere port={sys.argv[1]} user=gateway dbname=log").connect()
except PostgresError as error:
    print(error)
"""

CALL = """
import asyncio
import gateway
import grpc

async def main():
    server = grpc.aio.server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        try:
            await channel.unary_unary("/a/b")(b"", metadata=[("authorization", "Bearer canary")], timeout=30)
        except grpc.aio.AioRpcError as error:
            print(error.code().name)
    await server.stop(0)

asyncio.run(main())
"""


def ran(program: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, capture_output=True, check=True, env=os.environ | variables, text=True, timeout=120)


def test_roots_and_keys_of_tls_are_the_configurations(tmp_path: Path) -> None:
    """Who names a CA in the environment vouches for no issuer of tokens and no engine, and gets no keys of sessions."""
    (tmp_path / "ca.pem").write_bytes(pki.Authority(name="of the environment").ca.certificate)
    (tmp_path / "none").mkdir()
    own = {"SSL_CERT_FILE": str(tmp_path / "ca.pem"), "SSL_CERT_DIR": str(tmp_path / "none")}
    said = ran(TRUST, **own, SSLKEYLOGFILE=str(tmp_path / "keys")).stdout
    assert said.startswith("[None, None]")
    assert "of the environment" not in said
    assert not (tmp_path / "keys").exists()


def test_a_store_on_this_host_is_on_this_host() -> None:
    """A log that the configuration keeps behind a socket of this host is not sent elsewhere, and without TLS."""
    with socket.create_server(("127.0.0.1", 0)) as trap:
        port = str(trap.getsockname()[1])
        said = ran(STORE, port, PGHOSTADDR="127.0.0.1", PGOPTIONS="-c synchronous_commit=off").stdout
        trap.setblocking(False)
        try:
            trap.accept()
        except BlockingIOError:
            pass
        else:
            raise AssertionError("it was asked")
    assert f"/nowhere/.s.PGSQL.{port}" in said


def test_what_callers_send_is_not_printed() -> None:
    """A caller's token is in nobody's log, however much gRPC is asked to say."""
    done = ran(CALL, GRPC_TRACE="all", GRPC_VERBOSITY="debug")
    assert done.stdout == "UNIMPLEMENTED\n"
    assert "canary" not in done.stderr
