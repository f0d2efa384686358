"""Groups of commands that import a command's module only when it runs: imports take most of a command's start."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command


def group(text: str, commands: Mapping[str, str], **settings: Any) -> typer.Typer:
    """A group with this help. commands: each command's name, and its function as module:function below gateway.cli."""

    class Group(TyperGroup):
        def __init__(self, **given: Any) -> None:
            later = {name: Later(name, where) for name, where in commands.items()}
            super().__init__(**given | {"commands": later | given["commands"]})

    made = typer.Typer(cls=Group, help=text, no_args_is_help=True, pretty_exceptions_enable=False, **settings)
    made.callback()(_nothing)
    return made


class Later(TyperCommand):
    """A command in a list. Its options are loaded when it is invoked."""

    def __init__(self, name: str, where: str) -> None:
        self.where = where
        super().__init__(name)

    @property
    def help(self) -> str:
        """The docstring of the command's function, read without importing the module."""
        module, _, function = self.where.partition(":")
        tree = ast.parse(Path(__file__).with_name(f"{module}.py").read_bytes())
        found = (ast.get_docstring(f) for f in tree.body if isinstance(f, ast.FunctionDef) and f.name == function)
        return next(found, None) or ""

    @help.setter  # noqa: A003 - see above
    def help(self, _: str | None) -> None:
        """Ignored: the help comes from the docstring."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Import the command, and continue with it."""
        module, _, function = self.where.partition(":")
        alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="markdown")
        alone.command(self.name)(getattr(import_module(f"gateway.cli.{module}"), function))
        made = get_command(alone).make_context(info_name, args, parent, **extra)
        _text(made)
        return made


def _text(made: Any) -> None:
    """Refuse arguments that are not UTF-8. Python gives them as surrogates, which no text option can use."""
    for option in made.command.params:
        given = made.params.get(option.name)
        for value in given if isinstance(given, list | tuple) else (given,):
            try:
                value.encode("utf-8") if isinstance(value, str) else None  # a path is exempt: it may be of any bytes
            except UnicodeEncodeError as error:
                raise typer.BadParameter("is not UTF-8", ctx=made, param=option) from error


def _nothing() -> None:
    """The callback of a group, which has no options."""
