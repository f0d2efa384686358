"""What tests of the policy share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway.release import starter
from gateway.workshop.deciding import Decide, embedded
from gateway.workshop.policies import opened


@pytest.fixture(scope="session")
def decide() -> Iterator[Decide]:
    """The starter policy, in the embedded engine."""
    with opened(starter()) as policy, embedded(policy.release) as engine:
        yield engine
