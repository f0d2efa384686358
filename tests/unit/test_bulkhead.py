"""What one tenant may take up."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bulkhead import Bulkhead
from gateway.config import Limits
from gateway.errors import GatewayError, Reason

STEPS = st.lists(st.tuples(st.booleans(), st.integers(0, 9), st.sampled_from("ab")), max_size=60)


@given(steps=STEPS, most=st.integers(1, 4))
def test_no_tenant_has_more_than_its_share(steps: list[tuple[bool, int, str]], most: int) -> None:
    """Whatever comes and goes, a call is refused exactly when its tenant has as many as it may."""
    shares, has = Bulkhead(most), {}
    for comes, number, tenant in steps:
        if not comes:
            shares.give_back(str(number))  # also of one that is over, or was refused
            has.pop(str(number), None)
        elif str(number) not in has:
            if Counter(has.values())[tenant] < most:
                shares.take(str(number), tenant)
                has[str(number)] = tenant
            else:
                with pytest.raises(GatewayError) as refused:
                    shares.take(str(number), tenant)
                assert refused.value.reason is Reason.OVERLOADED
                assert tenant not in refused.value.message.split()


@given(calls=st.integers(1, 1000), percent=st.integers(1, 100))
def test_a_share_is_at_least_one_call(calls: int, percent: int) -> None:
    """However few calls there may be, every tenant may have one, and none more than there may be."""
    assert 1 <= Limits(concurrent_calls=calls, tenant_percent=percent).tenant_calls <= calls
