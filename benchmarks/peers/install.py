"""Installs the load generators and the peers, pinned with hashes, in .tools/peers, and LiteLLM in .venv/peers.

Raises NotHereError with the reason if something is unavailable. Existing installations are kept.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.peers.processes import NotHereError, finished
from benchmarks.run import ROOT

HERE = Path(__file__).parent
PROGRAMS = ROOT / ".tools" / "peers"
PORTKEY = PROGRAMS / "portkey"
LITELLM = ROOT / ".venv" / "peers"
GHZ = "github.com/bojand/ghz/cmd/ghz"
NPM_FILES = ("package.json", "package-lock.json")


def programs() -> None:
    """`wire` and ghz, built with the modules that go.sum pins. All figures need both."""
    PROGRAMS.mkdir(parents=True, exist_ok=True)
    offered = {**os.environ, "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local"}
    for package, name in ((".", "wire"), (GHZ, "ghz")):
        run(["go", "build", "-o", PROGRAMS / name, package], HERE / "wire", offered)


def wrk() -> Path:
    """The wrk of PATH, or from the system's packages if this process may install them."""
    if shutil.which("wrk") is None and shutil.which("apt-get") and os.geteuid() == 0:
        run(["apt-get", "update"])
        run(["apt-get", "install", "--yes", "--no-install-recommends", "wrk"])
    found = shutil.which("wrk")
    if found is None:
        raise NotHereError("wrk is not on PATH; install your system's package `wrk`")
    return Path(found)


def litellm() -> None:
    """LiteLLM's proxy in its own virtual environment."""
    wanted = ROOT / "requirements" / "peers.txt"
    if fresh(LITELLM, wanted):
        return
    shutil.rmtree(LITELLM, ignore_errors=True)
    run([sys.executable, "-m", "venv", "--without-pip", LITELLM])
    python, uv = LITELLM / "bin" / "python", Path(sys.executable).with_name("uv")
    quiet = "--quiet", "--system-certs"  # the roots that pip and this machine trust
    run([uv, "pip", "install", *quiet, "--python", python, "--no-deps", "--require-hashes", "-r", wanted])
    # As in the Makefile: a module that does not compile is one that nobody imports.
    finished([python, "-m", "compileall", "-qq", "-j", "0", LITELLM / "lib"])
    stamp(LITELLM, wanted)


def portkey() -> None:
    """Portkey's gateway, with dependencies by the integrity hashes of its lock file. No install scripts are run."""
    lock = HERE / "portkey" / "package-lock.json"
    if fresh(PORTKEY, lock):
        return
    shutil.rmtree(PORTKEY, ignore_errors=True)
    PORTKEY.mkdir(parents=True)
    for name in NPM_FILES:
        shutil.copyfile(HERE / "portkey" / name, PORTKEY / name)
    run(["npm", "ci", "--ignore-scripts", "--omit", "dev", "--no-audit", "--no-fund"], PORTKEY)
    stamp(PORTKEY, lock)


def opa_envoy() -> Path:
    """The binary that OPA_ENVOY names, or `opa-envoy` on PATH."""
    given = os.environ.get("OPA_ENVOY") or shutil.which("opa-envoy")
    if not given:
        raise NotHereError("its binary is not here; OPA_ENVOY=path names one")
    if not (Path(given).is_file() and os.access(given, os.X_OK)):
        raise NotHereError(f"OPA_ENVOY: {given} is no program")
    return Path(given).resolve()


def fresh(folder: Path, wanted: Path) -> bool:
    """Whether the installation matches the list."""
    done = folder / "installed"
    return done.exists() and done.read_text() == digest(wanted)


def stamp(folder: Path, wanted: Path) -> None:
    """Record what is installed. After a crash before this, everything is installed again."""
    (folder / "installed").write_text(digest(wanted))


def digest(path: Path) -> str:
    """The digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def run(command: Sequence[str | Path], folder: Path = ROOT, environment: dict[str, str] | None = None) -> None:
    """Run an installation command. Raises NotHereError with the end of its output."""
    words = [str(part) for part in command]
    print(f"$ {' '.join(words)}", file=sys.stderr, flush=True)
    done = finished(words, folder=folder, environment=environment)
    if done.returncode:
        lines = [line.strip() for line in f"{done.stdout}\n{done.stderr}".splitlines() if line.strip()]
        raise NotHereError(f"{' '.join(words[:3])} failed: {' '.join(lines[-2:])[:300]}")
