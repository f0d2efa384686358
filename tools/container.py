"""Takes the steps of deploy/container/Containerfile without an engine for containers, and starts what they install.

COPY and RUN of the first stage, in a fresh folder in place of /, with this interpreter in place of the base image's;
then what the image starts with, on a development deployment. What is not shown so: the base image, the second stage's
users, volumes and health check, and that an engine takes the file.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
FILE = ROOT / "deploy/container/Containerfile"
OUTSIDE = shutil.ignore_patterns("__pycache__", "*.egg-info")


def steps(stage: int) -> list[tuple[str, list[str]]]:
    """The instructions of a stage after its FROM, with their words."""
    lines = [line.split(maxsplit=1) for line in FILE.read_text(encoding="utf-8").splitlines()]
    said = [(words[0], shlex.split(words[1])) for words in lines if words and not words[0].startswith("#")]
    begins = [place for place, (name, _) in enumerate(said) if name == "FROM"]
    return said[begins[stage] + 1 : [*begins, len(said)][stage + 1]]


def main() -> None:
    """Build, and start what was built."""
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        work = base / "build"
        work.mkdir()
        (base / "var/lib").mkdir(parents=True)
        for name, words in steps(0):
            print(name, *words, flush=True)
            if name == "COPY":
                _copy(words, work)
            elif name == "RUN":
                _run([_there(word, base) for word in words], work)
        program = str(base / "opt/brightline/bin/brightline")
        for command in ("--version", "serve --help", "health --help", "init dev", "doctor --config dev/gateway.toml"):
            print(program, command, flush=True)
            _run([program, *command.split()], base)


def _copy(words: list[str], work: Path) -> None:
    *sources, to = words
    for source in sources:
        found, target = ROOT / source, work / to
        if found.is_dir():
            shutil.copytree(found, target, ignore=OUTSIDE)
        else:
            place = target / found.name if to.endswith("/") else target
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(found, place)


def _there(word: str, base: Path) -> str:
    if word == "python":
        return sys.executable
    return str(base / word.removeprefix("/")) if word.startswith(("/opt/", "/var/")) else word


def _run(command: list[str], folder: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    subprocess.run(command, cwd=folder, env=environment, check=True)


if __name__ == "__main__":
    main()
