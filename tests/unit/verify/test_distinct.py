from __future__ import annotations

from contextlib import closing

from hypothesis import given, settings
from hypothesis import strategies as st

from brightline_verify.distinct import Distinct

IDS = st.integers(0, 60).map(lambda n: n.to_bytes(16))


@settings(max_examples=60, deadline=None)
@given(st.lists(IDS), st.integers(1, 8))
def test_one_that_is_there_twice_is_found(ids: list[bytes], at_once: int) -> None:
    """However few fit into memory: what is there twice is found, and where all differ nothing is."""
    with closing(Distinct(at_once)) as distinct:
        for one in ids:
            distinct.add(one)
        found = distinct.twice()
    twice = {one for one in ids if ids.count(one) > 1}
    assert (found in twice) if twice else (found is None)
