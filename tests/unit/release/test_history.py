"""How what is in force came about: kept as both signed it, and believed only as long as that verifies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.release import history
from gateway.types import Change, Compared, Step
from tests.support.signing import Signing

SAID: Any = {
    "version": 2,
    "from": "a" * 64,
    "changes": [["looser", "tenant one is added", "tenant one"]],
    "effect": {"parts": [{"about": "", "decisions": 4, "looser": 1, "stricter": 0, "examples": ["x: no longer y"]}]},
}
STEP = Step(
    "a" * 64,
    "b" * 64,
    2,
    (Change("looser", "tenant one is added", "tenant one"),),
    (Compared("", 4, 1, 0, ("x: no longer y",)),),
)


def staged(signing: Signing, said: Any) -> None:
    """A release of both whose metadata says this."""
    signing.repository.stage(signing.files(), said, signing.now)
    signing.sign()
    signing.publish()


def steps(signing: Signing) -> list[tuple[int, str]]:
    return [(step.version, step.before) for step in signing.client().load().steps]


@pytest.fixture
def signing(tmp_path: Path) -> Signing:
    """Three releases that a gateway has seen; the second says nothing of its change."""
    made = Signing.create(tmp_path)
    for said in ({**SAID, "version": 1, "from": ""}, {}, {**SAID, "version": 3}):
        staged(made, said)
        made.client().load()
    return made


def test_what_was_seen_is_told(signing: Signing) -> None:
    """Each release that a gateway loaded and that says what it changed is a step, after a restart too."""
    assert steps(signing) == [(1, ""), (3, "a" * 64)]
    assert signing.client().load().steps[-1].after == signing.client().load().digest


def test_what_one_holder_takes_away_is_a_step(signing: Signing) -> None:
    """A restriction is told in plain language, each line for who may know it."""
    before = signing.client().load().digest
    gone = {"format": 1, "purposes": ["x"], "models": ["m"], "tenants": ["t"]}
    signing.repository.restrict("provider", json.dumps(gone).encode(), signing.now)
    signing.force({"provider"})
    found = signing.client().load()
    assert (found.steps[-1].before, found.steps[-1].after) == (before, found.digest)
    assert {change.about for change in found.steps[-1].changes} == {"", "model m", "tenant t"}


@pytest.mark.parametrize("change", ["edited", "unsigned", "cut", "gone"])
def test_what_does_not_verify_is_not_told(signing: Signing, change: str) -> None:
    """A kept file that somebody edited, cut, took a signature off or removed is left out; the release still loads."""
    path = signing.folder / "gateway" / history.FOLDER / "1.json"
    metadata = json.loads(path.read_bytes())
    if change == "edited":
        metadata["signed"]["targets"]["manifest.json"]["custom"]["changes"] = []
    if change == "unsigned":
        metadata["signatures"].pop()
    path.write_text(json.dumps(metadata)[: 50 if change == "cut" else None])
    if change == "gone":
        path.unlink()
    assert steps(signing) == [(3, "a" * 64)]


def test_a_step_that_can_not_be_read_is_not_told(signing: Signing) -> None:
    """What tells about the past and can't be read keeps nobody from what is in force."""
    path = signing.folder / "gateway/history/1.json"
    path.unlink()
    path.symlink_to("nowhere")
    assert steps(signing) == [(3, "a" * 64)]


def test_the_oldest_are_forgotten(signing: Signing, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more releases are kept than the bound."""
    monkeypatch.setattr(history, "KEPT", 2)
    staged(signing, {**SAID, "version": 4})
    assert steps(signing) == [(3, "a" * 64), (4, "a" * 64)]


def test_what_signed_metadata_says_is_read_strictly() -> None:
    """The shape that signers write is a step."""
    assert history.step("b" * 64, SAID) == STEP


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x), max_leaves=4
    )
)
def test_any_other_shape_is_no_step(value: Any) -> None:
    """Whatever else the metadata holds is a step or one of three errors."""
    for said in ({**SAID, "changes": value}, {**SAID, "effect": value}, {**SAID, "from": value}):
        try:
            assert isinstance(history.step("b" * 64, said), Step)
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
