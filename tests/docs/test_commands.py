"""Every command and every piece of Python in the documentation runs, and prints what is shown below it.

The blocks of a page run in their order, in one scratch folder that has a copy of rego/ and of docs/samples/. Ports in
the pages are replaced by free ones. What is made with make gets a dry run, because it would run these tests.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from gateway import config
from tests.docs.pages import PAGES, ROOT, Block, Command, blocks, matches
from tests.support.opa import free_port

PROGRAMS = (Path(sys.executable).parent, ROOT / ".tools" / "bin")
PORTS = re.compile(r"(?<=127\.0\.0\.1:)\d{4,5}\b")
MAKE = {"make demo": "brightline demo"}
"""What stands for a make target that only runs a program."""
PATIENCE_S = 180.0


class Shell:
    """Runs the blocks of one page."""

    def __init__(self, folder: Path, running: ExitStack) -> None:
        self._folder = folder
        self._running = running
        self._ports: dict[str, str] = {}
        path = os.pathsep.join([*map(str, PROGRAMS), os.environ["PATH"]])
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
        self._environment = {**kept, "PATH": path, "COLUMNS": "100", "NO_COLOR": "1"}

    def run(self, command: Command) -> None:
        """Run a command, and compare its exit code and what it prints."""
        if command.text.startswith("make"):
            planned = self._ran(f"{command.text.replace('make', 'make --dry-run', 1)} < /dev/null", ROOT)
            assert planned.returncode == 0, planned.stdout
            if command.text not in MAKE:
                return
        text = self._free(MAKE.get(command.text, command.text))
        if text.endswith("&"):
            self._running.enter_context(self._background(text.removesuffix("&").strip()))
            return
        done = self._ran(text, self._folder)
        assert done.returncode == command.exit_code, f"{text}\n{done.stdout}"
        shown = tuple(map(self._free, command.shown))
        assert matches(shown, done.stdout), f"{text}\nprinted\n{done.stdout}\nand not\n" + "\n".join(shown)

    def write(self, name: str, text: str) -> None:
        """Write a file that the page shows."""
        (self._folder / name).write_text(self._free(text), encoding="utf-8")

    def _ran(self, text: str, folder: Path) -> subprocess.CompletedProcess[str]:
        shell = ["bash", "-o", "pipefail", "-c", text]
        return subprocess.run(
            shell,
            cwd=folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=300,
        )

    @contextmanager
    def _background(self, text: str) -> Iterator[None]:
        """A program that serves, until the page is over: ended by SIGTERM, which it has to obey."""
        configuration, address = re.search(r"--config (\S+)", text), re.search(r"--addr (\S+):(\d+)", text)
        assert configuration or address, f"{text}: how to see that it serves?"
        published = (self._folder / configuration[1]).with_name("address") if configuration else None
        if published is not None:
            published.unlink(missing_ok=True)
        with (self._folder / "background.log").open("ab") as log:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {text}"], cwd=self._folder, env=self._environment, stdout=log, stderr=log
            )
        try:
            give_up = time.monotonic() + PATIENCE_S
            while not (published.exists() if published is not None else address and _listens(int(address[2]))):
                assert process.poll() is None, (self._folder / "background.log").read_text()
                assert time.monotonic() < give_up, f"{text}: does not serve"
                time.sleep(0.02)
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE_S)

    def _free(self, text: str) -> str:
        return PORTS.sub(lambda port: self._ports.setdefault(port[0], str(free_port())), text)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


OWN_TESTS = {"clients/python/README.md"}
"""Pages whose Python is run by tests of their own, beside them."""


@pytest.mark.timeout(900)  # some pages have many commands, each a process of its own
@pytest.mark.parametrize("page", PAGES)
def test_the_blocks_of_a_page_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command of a page exits as it says and prints what is shown, and all of its Python runs."""
    monkeypatch.chdir(tmp_path)
    for name in ("rego", "docs/samples"):
        shutil.copytree(ROOT / name, tmp_path / name)
    names: dict[str, object] = {"__name__": page}
    with ExitStack() as running:
        shell = Shell(tmp_path, running)
        for block in blocks(page):
            if block.language == "console":
                for command in block.commands():
                    shell.run(command)
            elif name := block.file():
                shell.write(name, block.text)
            elif block.language == "python" and page not in OWN_TESTS:
                exec(compile(block.text, page, "exec"), names)  # noqa: S102 - our own pages


@pytest.mark.parametrize(
    ("page", "block"), [(page, block) for page in PAGES for block in blocks(page) if block.language == "toml"]
)
def test_configurations_are_accepted(page: str, block: Block) -> None:
    """Every piece of configuration is TOML, and a whole one is accepted as the gateway reads it."""
    raw = tomllib.loads(block.text)
    assert raw, page
    if "profile" in raw:
        config.Config.model_validate(raw, context={"base": Path("/etc/brightline")})


@pytest.mark.parametrize("page", PAGES)
def test_quoted_rules_are_there(page: str) -> None:
    """Rego that is not a file of the page's own is quoted from the policy, word for word."""
    policy = [path.read_text(encoding="utf-8") for path in (ROOT / "rego").rglob("*.rego")]
    quoted = [block.text for block in blocks(page) if block.language == "rego" and not block.file()]
    assert all(any(text in source for source in policy) for text in quoted)


@pytest.mark.parametrize("page", PAGES)
def test_blocks_say_what_they_are(page: str) -> None:
    """A block is one of the kinds that are checked, or has no language at all: drawings, units, formats."""
    assert {block.language for block in blocks(page)} <= {"console", "python", "toml", "rego", "json", ""}
