"""What a list of commands says of commands that are not imported yet."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from inspect import getdoc

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from gateway.cli import app
from gateway.cli.lazy import Later

HEAVY = {"grpc", "google.protobuf", "cryptography", "jwt", "tuf", "wasmtime", "aiohttp"}


def commands(group: TyperGroup) -> list[Later]:
    return [
        leaf
        for command in group.commands.values()
        for leaf in (commands(command) if isinstance(command, TyperGroup) else [command])
        if isinstance(leaf, Later)
    ]


def whole() -> TyperGroup:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    return group


@pytest.mark.parametrize("command", commands(whole()), ids=lambda command: str(command.where))
def test_a_command_is_listed_with_its_own_words(command: Later) -> None:
    """Every name leads to a function, and the list says what the function says of itself."""
    module, _, function = command.where.partition(":")
    words = getdoc(getattr(import_module(f"gateway.cli.{module}"), function))
    assert words
    assert command.help == words


@pytest.mark.parametrize("words", [["--help"], ["audit", "--help"]], ids=" ".join)
def test_a_list_of_commands_imports_none_of_them(words: list[str]) -> None:
    """Help is there at once: no library that commands need is loaded for it."""
    program = "import sys; from gateway.cli import main\ntry: main()\nfinally: print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program, *words], check=True, capture_output=True, text=True)
    assert not HEAVY & set(done.stderr.split())
