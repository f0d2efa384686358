"""A short sweep of seeded faults over both stores, and that it would see what is wrong."""

from __future__ import annotations

import pytest

from gateway.audit.record import Entry
from gateway.audit.store import Result, Store
from tests.faults.seeded import ViolationError, sweep, worlds
from tests.support.postgres import Cluster

SEED = 5


@pytest.mark.timeout(300)  # some hundred syncs and new connections, on a machine that may have other things to do
def test_every_write_fails_in_every_way_and_the_log_holds(postgres: Cluster) -> None:
    """300 faults on real stores leave what was acknowledged, nothing else, and logs that verify."""
    with worlds(postgres) as each:
        figures = sweep(each, 300, SEED)
    assert all(set(met) == {"LOST", "LIED", "TORN"} for met in figures["faults"].values())


def _forgets(store: Store) -> list[Result] | None:
    real_recover(store)
    return None  # what was in doubt is told as lost, though it may be there


def _ignores(store: Store, entries: list[Entry]) -> list[Result]:
    store.append = lambda entries: real_append(store, entries)  # type: ignore[method-assign, assignment]
    return [store.frontier.size + n for n in range(len(entries))]  # acknowledged, and never written


real_recover, real_append = Store.recover, Store.append


@pytest.mark.parametrize(("name", "broken"), [("recover", _forgets), ("append", _ignores)])
@pytest.mark.parametrize("which", [0, 1], ids=["sqlite", "postgresql"])
def test_a_store_that_breaks_its_promise_is_found(
    postgres: Cluster, monkeypatch: pytest.MonkeyPatch, name: str, broken: object, which: int
) -> None:
    """A store that tells as lost what is there, or as durable what is not, is a violation, with how to repeat it."""
    monkeypatch.setattr(Store, name, broken)
    with worlds(postgres) as each, pytest.raises(ViolationError, match=f"{each[which].name}, seed {SEED}, run "):
        sweep([each[which]], 200, SEED)
