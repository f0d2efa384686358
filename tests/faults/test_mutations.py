"""A short sweep of mutations over both stores, and that it would see a verifier that misses one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings

from brightline_verify.whole import Whole
from tests.faults.mutated import MissedError, Sweep, long, swept
from tests.faults.mutations import CHANGES, MUTATIONS, SIZE, Mutation, forge, truncate
from tests.support.postgres import Cluster


@pytest.fixture(scope="module")
def sweep(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sweep]:
    """The log in both stores."""
    with swept(tmp_path_factory.mktemp("mutations"), postgres) as made:
        yield made


@settings(max_examples=100, deadline=None)
@given(MUTATIONS)
def test_any_mutation_of_a_stored_log_is_found(sweep: Sweep, mutation: Mutation) -> None:
    """Edited, forged, deleted, inserted, reordered, truncated, restored or spliced, mended or not: it is found."""
    sweep.look(mutation)


@pytest.mark.parametrize("change", CHANGES)
def test_each_sort_of_mutation_is_found_on_both_stores(sweep: Sweep, change: object) -> None:
    """Of each sort some are made on SQLite and on PostgreSQL, which take them, and all are found."""
    sweep.found.clear()
    for dice in range(6):
        sweep.look(Mutation((change,), dice, mend=dice % 2 == 1))  # type: ignore[arg-type]
    assert {name: found.total() >= 3 for name, found in sweep.found.items()} == {"sqlite": True, "postgresql": True}


def test_blocks_that_are_others_are_found_on_both_stores(postgres: Cluster, tmp_path: Path) -> None:
    """A byte of a block of nodes is another, or some are missing or too many: the record beside it is named."""
    with long(tmp_path, postgres) as made:
        made.look_at_blocks(Random(1), 5)  # noqa: S311 - the same each time
    assert {name: found["blocks"] for name, found in made.found.items()} == {"sqlite": 5, "postgresql": 5}


def test_a_log_that_is_as_it_was_verifies(sweep: Sweep) -> None:
    """Nothing is found where nothing was changed, mended or not."""
    assert len(sweep.made.log.rows) == SIZE
    for mend in (False, True):
        sweep.look(Mutation((), 0, mend=mend))


def believing(whole: Whole, *_: object) -> None:
    """Takes any checkpoint for one over the records before it."""
    whole.covered = whole.tree.size


@pytest.mark.parametrize(
    ("method", "blind", "mutation"),
    [
        ("_look_at", believing, Mutation((forge,), 3, mend=True)),
        ("keep", lambda *_: None, Mutation((truncate,), 4, mend=False)),
    ],
)
def test_a_verifier_that_looks_away_is_noticed(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch, method: str, blind: Callable[..., None], mutation: Mutation
) -> None:
    """Without the signed roots, or without the checkpoint that was kept outside, the sweep says what was missed."""
    sweep.look(mutation)
    monkeypatch.setattr(Whole, method, blind)
    with pytest.raises(MissedError):
        sweep.look(mutation)
