"""Every vector is decided as it says, on both engines, and the vectors cover the pack."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from gateway.canonical import Json, canonical
from gateway.pdp import Engine
from gateway.types import Decision, Obligation
from tests.support.engines import ENGINES, both
from tests.support.releases import ROOT
from tests.support.vectors import FOLDER, Vector, bases, load, read

VECTORS = load()
RULES = sorted(p.name for p in (ROOT / "rego/brightline/rules").glob("*/*") if p.is_dir())

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engines() -> AsyncIterator[dict[str, Engine]]:
    """Both engines with the starter policy."""
    async with both() as made:
        yield made


def said(decision: Decision) -> tuple[str, set[str], list[Json], set[str]]:
    return (
        decision.effect.name.lower(),
        {rule.id for rule in decision.rules},
        sorted(map(as_written, (o for o in decision.obligations if o.kind != "output_marking")), key=canonical),
        set(decision.grants),
    )


def banner(facts: Any) -> str:
    return str(facts["request"]["output_marking"]["banner"])


def as_written(obligation: Obligation) -> Json:
    match obligation.kind:
        case "max_tokens":
            return {"kind": obligation.kind, "params": {"limit": obligation.limit}}
        case "remove_tools":
            return {"kind": obligation.kind, "params": {"effectors": list(obligation.effectors)}}
        case "route":
            return {"kind": obligation.kind, "params": {"model": obligation.text}}
        case "seal_content":
            return {"kind": obligation.kind, "params": {"class": obligation.text}}
        case "incident":
            hours = obligation.limit
            return {"kind": obligation.kind, "params": {"text": obligation.text, "report_within_hours": hours}}
        case kind:
            return {"kind": kind, "params": {"text": obligation.text}}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v.id)
async def test_a_vector_is_decided_as_it_says(engines: dict[str, Engine], engine: str, vector: Vector) -> None:
    """The decision has the effect, rules, obligations and grants that the vector says, and no others."""
    decision = await engines[engine].decide(vector.input)
    assert said(decision) == (vector.effect, vector.rules, vector.obligations, vector.grants), vector.why
    markings = [o.text for o in decision.obligations if o.kind == "output_marking"]
    assert markings == (
        [] if "marking_dominance" in vector.rules or vector.effect == "deny" else [banner(vector.input)]
    )


@pytest.mark.parametrize("name", bases())
async def test_a_base_is_allowed(engines: dict[str, Engine], name: str) -> None:
    """What vectors start from is permitted, so that what a vector changes is what it is about."""
    assert not (await engines["wasm"].decide(bases()[name])).rules


@pytest.mark.parametrize("rule", RULES)
async def test_a_rule_has_a_vector_on_either_side(rule: str) -> None:
    """Every rule is shown where it speaks, and where nothing is against the request that it is about."""
    about = [vector for vector in VECTORS if vector.about == rule]
    file = f"tests/vectors/{rule}.jsonl"
    assert any(rule in vector.rules or vector.obligations for vector in about), f"{file}: no vector where it speaks"
    assert any(vector.effect == "allow" for vector in about), f"{file}: no vector that is allowed"


async def test_vectors_are_about_rules_that_are_there() -> None:
    """Every file is named by a rule (or `decision`, for what several decide), and every rule named is in the pack."""
    everywhere = {*RULES, *(p.name for p in (ROOT / "rego/brightline/agency").glob("*/rules/*"))}
    assert {vector.about for vector in VECTORS} <= everywhere | {"decision"}
    assert {rule for vector in VECTORS for rule in vector.rules} <= everywhere | {"verdict_readable"}


VALID = '{"id":"a.b","why":"Because the source says so.","base":"desk","effect":"allow","rules":[]}'


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "a.jsonl:2: not strict JSON"),
        (VALID.replace("allow", "permit"), "a.jsonl:2: $.effect: 'permit' is not one of"),
        (VALID.replace('"rules"', '"rule"'), "a.jsonl:2: "),
        (VALID.replace("a.b", "c.b"), "a.jsonl:2: id: c.b belongs into c.jsonl"),
        (VALID.replace("desk", "chair"), "a.jsonl:2: base: chair is not one of desk"),
        (VALID.replace('"effect"', '"without":["/request/nothing"],"effect"'), "a.jsonl:2: without: the base has no"),
        (VALID, "ids that are there twice: a.b"),
    ],
)
async def test_a_line_that_is_no_vector_is_named(tmp_path: Path, line: str, message: str) -> None:
    """What is not a vector is refused with its file, its line and what is wrong."""
    (tmp_path / "a.jsonl").write_text(f"{VALID}\n{line}\n")
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the message is compared below
        load(tmp_path)
    assert str(refused.value).startswith(message)


async def test_lines_are_readable_alone() -> None:
    """Every line is a vector, without space around it or empty lines, so that any tool reads a file line by line."""
    for path in FOLDER.glob("*.jsonl"):
        text = path.read_text(encoding="utf-8")
        assert text.endswith("\n")
        assert all(line and line == line.strip() for line in text.splitlines())
        assert len(list(read(path))) == len(text.splitlines())
