"""What one tenant may use up over time."""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from limits.storage import memory

from gateway.errors import GatewayError, Reason
from gateway.quotas import Memory, Quotas
from gateway.types import Model, Price, Tenant
from tests.support.quotas import refusal

ASKS = st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 9)), max_size=40)


def tenant(name: str, **quotas: int) -> Tenant:
    """A tenant with these quotas."""
    return Tenant(name, (), {}, quotas)


def again(error: GatewayError, within_s: int) -> bool:
    """Whether the refusal says when the same request may be permitted. Fails the test when that is not so soon."""
    assert error.again_s is None or 1 <= error.again_s <= within_s
    return error.again_s is not None


@given(asks=ASKS, most=st.integers(1, 30))
async def test_no_tenant_gets_more_tokens_than_its_own_quota(asks: list[tuple[str, int]], most: int) -> None:
    """A request is refused exactly when it would pass the tenant's quota, and one that was refused counts nothing."""
    quotas, used = Quotas(Memory()), Counter[str]()
    for name, tokens in asks:
        error = await refusal(quotas, tenant(name, tokens_per_hour=most), tokens)
        assert (error is None) == (used[name] + tokens <= most)
        if error is None:
            used[name] += tokens
        else:
            assert (error.reason, error.sent) == (Reason.QUOTA_EXHAUSTED, False)
            assert again(error, 3600) == (tokens <= most)


@pytest.mark.parametrize(("workers", "tokens", "in_time"), [(1, 10, True), (1, 11, False), (3, 3, True), (3, 4, False)])
async def test_what_is_more_than_there_ever_is_is_not_told_to_come_again(
    workers: int, tokens: int, in_time: bool
) -> None:
    """A refusal names a time exactly when the same request gets its tokens after it."""
    quotas, who = Quotas(Memory(workers)), tenant("a", tokens_per_hour=10)
    assert await refusal(quotas, who, 1) is None
    error = await refusal(quotas, who, tokens)
    assert error is not None
    assert again(error, 3600) == in_time
    assert "tokens of this hour" in error.message


async def test_requests_and_tokens_are_counted_apart_and_nothing_where_the_release_says_nothing() -> None:
    """A tenant without quotas asks as it likes; one with a quota of requests has no bound on tokens."""
    quotas, free, one = Quotas(Memory()), tenant("free"), tenant("one", requests_per_minute=1)
    for _ in range(3):
        await quotas.take_request(free)
        await quotas.take_tokens(free, 10**9)
        await quotas.take_tokens(one, 10**9)
    await quotas.take_request(one)
    with pytest.raises(GatewayError, match="requests of this minute"):
        await quotas.take_request(one)


@given(sizes=st.lists(st.tuples(st.text(max_size=4), st.integers(1, 9)), max_size=20), most=st.integers(1, 30))
async def test_bytes_are_bounded_apart_from_as_many_tokens(sizes: list[tuple[str, int]], most: int) -> None:
    """A request is refused exactly when its texts in UTF-8 would pass the quota of bytes, whatever tokens were used."""
    quotas, used, who = Quotas(Memory()), 0, tenant("a", bytes_per_hour=most, tokens_per_hour=most)
    for text, tokens in sizes:
        await refusal(quotas, who, tokens)
        size = len(text.encode()) + 1
        if used + size <= most:
            await quotas.take_bytes(who, [text, "", "a"])
            used += size
        else:
            with pytest.raises(GatewayError, match="bytes of this hour"):
                await quotas.take_bytes(who, [text, "", "a"])


@given(
    asks=st.lists(st.tuples(st.text(max_size=4), st.integers(0, 9)), max_size=20),
    price=st.builds(Price, st.integers(0, 2_000_000), st.integers(0, 2_000_000)),
    most=st.integers(1, 60),
)
async def test_spend_is_what_bytes_and_tokens_cost(asks: list[tuple[str, int]], price: Price, most: int) -> None:
    """A request is refused exactly when what it may cost, rounded up, would pass the tenant's spend of the day."""
    quotas, used, who = Quotas(Memory()), 0, tenant("a", spend_per_day=most)
    model = Model("m", "", "u", "um", {}, price)
    for text, tokens in asks:
        exact = Fraction(len(text.encode()) * price.million_bytes + tokens * price.million_tokens, 1_000_000)
        cost = math.ceil(exact)
        if used + cost <= most:
            await quotas.take_spend(who, model, [text, ""], tokens)
            used += cost
        else:
            with pytest.raises(GatewayError, match="spend of this day") as refused:
                await quotas.take_spend(who, model, [text, ""], tokens)
            assert again(refused.value, 86_400) == (cost <= most)


async def test_a_model_without_a_price_is_asked_by_none_whose_spend_is_bounded() -> None:
    """What nobody can count is refused; who has no such quota is not."""
    quotas, model = Quotas(Memory()), Model("m", "", "u", "um", {})
    await quotas.take_spend(tenant("free", tokens_per_hour=5), model, ["x"], 5)
    with pytest.raises(GatewayError) as refused:
        await quotas.take_spend(tenant("a", spend_per_day=5), model, ["x"], 5)
    assert refused.value.reason is Reason.POLICY_UNAVAILABLE


async def test_when_the_time_is_over_there_is_a_new_quota(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the seconds that the refusal names, the same request is counted again."""
    now = 1_800_000_000.0
    monkeypatch.setattr(memory.time, "time", lambda: now)
    quotas, who = Quotas(Memory()), tenant("a", tokens_per_hour=5)
    await quotas.take_tokens(who, 5)
    error = await refusal(quotas, who, 1)
    assert error is not None
    now += error.again_s or 0
    assert await refusal(quotas, who, 5) is None


@given(most=st.integers(1, 100), workers=st.integers(1, 100))
async def test_workers_together_give_out_no_more_than_the_quota_or_one_each(most: int, workers: int) -> None:
    """Each worker gives out its part of the quota, rounded down, and at least one."""
    who, given_out = tenant("a", tokens_per_hour=most), 0
    quotas = Quotas(Memory(workers))
    while await refusal(quotas, who, 1) is None:
        given_out += 1
    assert given_out == max(1, most // workers)
