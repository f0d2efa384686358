"""Finds the `opa` command, and runs it on a policy folder with limits on time and memory."""

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
DEADLINE_S: Final = 240.0
MEMORY_MIB: Final = 4096
_CHECKOUT: Final = Path(__file__).parent.parent.parent / ".tools" / "bin"
"""Where `make setup` installs it; absent from an installed package."""

_COLLECTING: Final = {"GOGC": "400", "GOMEMLIMIT": f"{MEMORY_MIB // 2}MiB"}
"""Collect garbage four times less often than Go's default, until half of the memory is in use."""

_BOUNDED: Final = f'ulimit -v {MEMORY_MIB << 10} 2>/dev/null; exec "$0" "$@"'


@functools.cache
def binary() -> str:
    """The path of the command. Raises StartError if there is none or it is too old."""
    found = shutil.which("opa", path=os.pathsep.join([str(_CHECKOUT), os.environ.get("PATH", os.defpath)]))
    wanted = ".".join(map(str, MINIMUM))
    if found is None:
        raise StartError(
            f"Open Policy Agent is missing: there is no `opa` on PATH\n"
            f"get the static build of version {wanted} or newer from the project's releases page, and put it on PATH "
            "as `opa`; in a checkout, `make setup` does"
        )
    said = subprocess.run([found, "version"], capture_output=True, text=True, check=False).stdout  # noqa: S603 - on PATH
    version = re.search(r"^Version:\s*(\d+)\.(\d+)\.(\d+)", said, re.MULTILINE)
    if version is None or tuple(map(int, version.groups())) < MINIMUM:
        raise StartError(f"{found}: is not Open Policy Agent {wanted} or newer; put such a one on PATH first")
    return found


def opa(
    *arguments: str | Path, at: Path, stdin: str | None = None, deadline_s: float = DEADLINE_S
) -> subprocess.CompletedProcess[str]:
    """Run it in the folder `at`. A run over its limits fails like any other, with the reason in its output.

    Raises StartError if there is no opa.
    """
    command = ["sh", "-c", _BOUNDED, binary(), *map(str, arguments)]
    # Every option is a variable to it, too: OPA_BUILD_IGNORE would leave rules out of what is compiled.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OPA_")}
    try:
        done = subprocess.run(  # noqa: S603 - arguments are options and paths
            command,
            cwd=at,
            env={**_COLLECTING, **kept},
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=deadline_s,
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"opa did not end within {deadline_s:g} seconds; {_ENDLESS}")
    if done.returncode and re.search(r"out of memory|cannot allocate memory", done.stderr[:1000]):
        return subprocess.CompletedProcess(command, 1, "", f"opa needs more than {MEMORY_MIB} MiB; {_ENDLESS}")
    return done


_ENDLESS: Final = "a rule runs over too much, or without end: bound what it runs over"


def said(done: subprocess.CompletedProcess[str]) -> str:
    """The output of a run: standard output and standard error."""
    return (done.stdout + done.stderr).strip()
