"""Many inputs at once, on either engine: the same checks as in a gateway, and no input spoils another's decision."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import StartError
from gateway.types import Decision, Effect
from gateway.workshop import deciding
from gateway.workshop.build import build
from gateway.workshop.deciding import beside, embedded, same
from gateway.workshop.policies import opened
from tests.support.inputs import plain
from tests.support.policy import STARTER, edit, small
from tests.support.vectors import load

INPUTS: list[Any] = [
    plain(),
    {"x": 1.5},
    {},
    plain(signals={"autonomous_targeting": 900}),
    {"x": "y" * (1 << 20)},
    plain(),
]


def test_both_engines_decide_each_input_in_its_place() -> None:
    """Decisions come in the order of their inputs; what can't be sent to an engine has no decision, on either."""
    with opened(STARTER) as policy, embedded(policy.release) as decide:
        wasm, opa = decide(INPUTS), beside(policy, INPUTS)
    effects = [made.effect if isinstance(made, Decision) else None for made in wasm]
    assert effects == [Effect.ALLOW, None, Effect.DENY, Effect.DENY, None, Effect.ALLOW]
    assert all(map(same, wasm, opa))
    assert wasm[2] == opa[2]


def test_an_input_that_open_policy_agent_fails_on_is_the_only_one(tmp_path: Path) -> None:
    """Where evaluation fails for one input of many, the others are decided, and that one is not."""
    rego = small(tmp_path)
    broken = '\n\nverdict := {"effect": "deny", "rule": {}} if input.now == 13\n'
    file = rego / "brightline/rules/law/nuclear_employment_human/nuclear_employment_human.rego"
    file.write_text(file.read_text() + broken)
    inputs: list[Any] = [{"now": now} for now in range(20)]
    with opened(rego) as policy, embedded(policy.release) as decide:
        wasm, opa = decide(inputs), beside(policy, inputs)
    assert [isinstance(made, Decision) for made in opa] == [now != 13 for now in range(20)]
    assert all(map(same, wasm, opa))


def test_releases_of_one_module_are_compiled_once() -> None:
    """What differs in its data alone has the same machine code, made once, and decides by its own data."""
    deciding._compiled.cache_clear()
    with (
        opened(STARTER) as policy,
        embedded(policy.release) as decide,
        embedded(replace(policy.release, data={})) as without,
    ):
        made, refused = decide([plain()])[0], without([plain()])[0]
    assert isinstance(made, Decision)
    assert made.effect is Effect.ALLOW
    assert not isinstance(refused, Decision) or refused.effect is Effect.DENY
    assert deciding._compiled.cache_info().misses == 1


@pytest.mark.parametrize("form", ["sources", "built"])
def test_a_policy_is_opened_in_every_form(tmp_path: Path, form: str) -> None:
    """Sources and what is built from them are the same policy."""
    rego = small(tmp_path)
    build(rego, tmp_path / "built")
    with opened(rego if form == "sources" else tmp_path / "built") as policy:
        assert policy.shown == (rego if form == "sources" else tmp_path / "built/rego")
        assert isinstance(beside(policy, [load()[0].input])[0], Decision)


def test_what_is_no_policy_is_refused(tmp_path: Path) -> None:
    """A folder without a policy, one that does not compile and one that was edited are refused, and named."""
    with pytest.raises(StartError, match="is no policy"), opened(tmp_path):
        pass
    rego = small(tmp_path)
    build(rego, tmp_path / "built")
    edit(tmp_path / "built/data.json", "nuclear", "other")
    with pytest.raises(StartError, match=r"data\.json"), opened(tmp_path / "built"):
        pass
    (rego / "brightline/facts/facts.rego").write_text("package brightline.facts\n\nx := \n")
    with pytest.raises(StartError, match=r"facts\.rego"), opened(rego):
        pass
