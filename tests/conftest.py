"""What tests of several folders share."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.postgres import Cluster, cluster

# Tests start hundreds of processes: each would compile every module again where bytecode is not kept.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A change is judged by the same examples each time; `make fuzz` looks for new ones. How fast the machine makes them is
# no property: on a busy one, some were given up as too slow.
UNHURRIED = (HealthCheck.too_slow,)
settings.register_profile("same", derandomize=True, deadline=None, suppress_health_check=UNHURRIED)
settings.register_profile("new", print_blob=True, deadline=None, suppress_health_check=UNHURRIED)
settings.load_profile(os.environ.get("BRIGHTLINE_PROFILE", "same"))

SLOW = (
    "tests/docs/test_commands.py",
    "tests/faults/",
    "tests/soak/",
    "tests/unit/rego/",
    "tests/engines/",
    "tests/unit/workshop/",
    "tests/unit/test_benchmarks.py",
    "tests/e2e/",
    "tests/unit/pdp/",
    "tests/unit/release/",
    "tests/unit/sealed/",
)
"""What takes long: it comes first, so that no core waits in the end for a long file on another."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slow ones first, files as they are."""

    def place(item: pytest.Item) -> int:
        return next((n for n, start in enumerate(SLOW) if item.nodeid.startswith(start)), len(SLOW))

    items.sort(key=place)


@pytest.fixture
def tmp_short() -> Iterator[Path]:
    """A folder whose path leaves room for that of a socket below it, as pytest's own has not beside others."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="t-") as made:
        yield Path(made)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """One running PostgreSQL for a whole run; each test takes a database of its own."""
    with cluster() as made:
        yield made
