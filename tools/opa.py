"""Puts Open Policy Agent at a path: the one on PATH when it is new enough, else `go install` of the pinned version.

Usage: python tools/opa.py VERSION PATH
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

MODULE = "github.com/open-policy-agent/opa"


def main(wanted: str, target: Path) -> int:
    """Link or install; returns the exit code."""
    elsewhere = os.pathsep.join(p for p in os.get_exec_path() if Path(p).resolve() != target.parent.resolve())
    present = shutil.which("opa", path=elsewhere)
    if present and version(present) >= parts(wanted):
        target.unlink(missing_ok=True)
        target.symlink_to(present)
        return 0
    if shutil.which("go"):
        print(f"installing opa {wanted} with go, once; this takes a minute or two")
        environment = {**os.environ, "GOBIN": str(target.parent.resolve())}
        return subprocess.run(["go", "install", f"{MODULE}@v{wanted}"], env=environment, check=False).returncode
    print(
        f"error: the tests need Open Policy Agent {wanted} or newer, and neither opa nor go is on PATH.\n"
        "Get the official static build from the project's releases page (opa_linux_amd64_static, or your\n"
        "platform's), make it executable, put it on PATH as `opa`, and run make again. Or install Go 1.24 or newer.",
        file=sys.stderr,
    )
    return 1


def version(binary: str) -> tuple[int, ...]:
    """The version that the binary prints, (0,) when it prints none."""
    out = subprocess.run([binary, "version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"^Version:\s*(\d+\.\d+\.\d+)", out, re.MULTILINE)
    return parts(found[1]) if found else (0,)


def parts(text: str) -> tuple[int, ...]:
    """Numbers of a dotted version."""
    return tuple(int(n) for n in text.split("."))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
