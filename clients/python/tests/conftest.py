"""The scripted gateway, once for each test."""

from collections.abc import Iterator

import pytest

from brightline import Use
from clients.python.tests.scripted import Scripted, serving


@pytest.fixture
def gateway() -> Iterator[Scripted]:
    """A scripted gateway that serves."""
    with serving() as scripted:
        yield scripted


@pytest.fixture
def use() -> Use:
    """A use that is in order."""
    return Use(purpose="logistics_planning", marking="UNCLASSIFIED", autonomy="none")
