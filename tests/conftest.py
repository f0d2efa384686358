"""What tests of several folders share."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.support.postgres import Cluster, cluster

# Tests start hundreds of processes: each would compile every module again where bytecode is not kept.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A change is judged by the same examples each time; `make fuzz` looks for new ones.
settings.register_profile("same", derandomize=True)
settings.register_profile("new", print_blob=True)
settings.load_profile(os.environ.get("BRIGHTLINE_PROFILE", "same"))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """One running PostgreSQL for a whole run; each test takes a database of its own."""
    with cluster() as made:
        yield made
