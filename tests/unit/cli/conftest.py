"""A scripted gateway, and the arguments that reach it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from clients.python.tests.scripted import TOKEN, Scripted, serving
from gateway.cli import ask, token

Run = Callable[..., Result]


@pytest.fixture
def gateway() -> Iterator[Scripted]:
    """A scripted gateway that serves."""
    with serving() as scripted:
        yield scripted


@pytest.fixture
def reach(gateway: Scripted, tmp_path: Path) -> list[str]:
    """The options that lead to the scripted gateway."""
    options = gateway.options()
    files = {"--ca": options["ca"], "--cert": options["certificate"], "--key": options["key"]}
    files["--token-file"] = f"{TOKEN}\n".encode()
    for name, data in files.items():
        (tmp_path / name.strip("-")).write_bytes(data)
    return ["--target", gateway.target, *(word for n in files for word in (n, str(tmp_path / n.strip("-"))))]


@pytest.fixture
def run() -> Run:
    """The commands of this package, as a person types them."""
    app = typer.Typer(pretty_exceptions_enable=False)
    for command in (ask.ask, ask.check, ask.models, token.token):
        app.command()(command)
    runner = CliRunner(env={"COLUMNS": "400", "TERM": "dumb"})
    return lambda *words, **options: runner.invoke(app, [str(word) for word in words], **options)
