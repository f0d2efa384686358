"""Open Policy Agent's command: found, and run on a policy folder."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

from gateway.errors import StartError

MINIMUM: Final = (1, 21, 3)
_CHECKOUT: Final = Path(__file__).parent.parent.parent / ".tools" / "bin"
"""Where `make setup` puts it; not there in an installed package."""


@functools.cache
def binary() -> str:
    """The path of the command. Raises StartError when there is none, or an old one."""
    found = shutil.which("opa", path=os.pathsep.join([str(_CHECKOUT), os.environ.get("PATH", os.defpath)]))
    wanted = ".".join(map(str, MINIMUM))
    if found is None:
        raise StartError(
            f"Open Policy Agent is missing: there is no `opa` on PATH\n"
            f"get the static build of version {wanted} or newer from the project's releases page, and put it on PATH "
            "as `opa`; in a checkout, `make setup` does"
        )
    said = subprocess.run([found, "version"], capture_output=True, text=True, check=False).stdout  # noqa: S603 - found on PATH
    version = re.search(r"^Version:\s*(\d+)\.(\d+)\.(\d+)", said, re.MULTILINE)
    if version is None or tuple(map(int, version.groups())) < MINIMUM:
        raise StartError(f"{found}: is not Open Policy Agent {wanted} or newer; put such a one on PATH first")
    return found


def opa(*arguments: str | Path, at: Path, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run it in the folder `at`. Raises StartError where there is none."""
    return subprocess.run(  # noqa: S603 - no shell; arguments are options and paths
        [binary(), *arguments], cwd=at, input=stdin, capture_output=True, text=True, check=False
    )


def said(done: subprocess.CompletedProcess[str]) -> str:
    """Everything that a run printed."""
    return (done.stdout + done.stderr).strip()
