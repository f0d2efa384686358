"""A small policy that may be broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.policy import small


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """A copy of the policy with one rule of all, to be quick."""
    return small(tmp_path)
