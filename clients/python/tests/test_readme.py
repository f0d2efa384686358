"""The examples of README.md, run as they are printed there."""

import re
from pathlib import Path

import pytest

from brightline import Client, Use
from clients.python.tests import scripted
from clients.python.tests.scripted import DECISION, TOKEN, Scripted

FIRST_CALL, STREAM = re.findall(
    r"```python\n(.*?)```", Path(__file__).parents[1].joinpath("README.md").read_text(), re.DOTALL
)


@pytest.fixture
def folder(gateway: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder with the files that the examples name."""
    options = gateway.options()
    for name, file in (("ca", "ca.pem"), ("certificate", "client.pem"), ("key", "client.key")):
        (tmp_path / file).write_bytes(options[name])
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("step", "says"),
    [
        (scripted.answer(), f"The convoy needs three trucks. {DECISION}"),
        (scripted.refuse("APPROVAL_REQUIRED", rules=(scripted.RULE,)), scripted.RULE.remedy),
        (scripted.refuse("POLICY_DENIED", rules=(scripted.RULE,)), f"{scripted.RULE.title} {scripted.RULE.remedy}"),
    ],
)
def test_the_first_call(gateway: Scripted, capsys: pytest.CaptureFixture[str], step: scripted.Step, says: str) -> None:
    """The first call has at most 15 lines, and prints the answer or what to do about a refusal."""
    assert len(FIRST_CALL.splitlines()) <= 15
    gateway.script(step)
    exec(FIRST_CALL.replace("gateway.agency.example:8443", gateway.target), {"token": TOKEN})  # noqa: S102 - our README
    assert says in capsys.readouterr().out


def test_the_stream(gateway: Scripted, use: Use, capsys: pytest.CaptureFixture[str]) -> None:
    """The example of a stream prints the text as it comes and then the decision id."""
    gateway.script(scripted.events(scripted.start(), scripted.text("Three "), scripted.text("trucks."), scripted.end()))
    with Client(gateway.target, **gateway.options()) as client:
        exec(STREAM, {"client": client, "use": use})  # noqa: S102 - our README
    assert capsys.readouterr().out == f"Three trucks. {DECISION}\n"
