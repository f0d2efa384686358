from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brightline_verify.check import BadRecordError, Checker, is_plain
from brightline_verify.record import MAX_BYTES, Kind
from gateway.canonical import NotCanonicalError, canonical, parse
from tests.support import logs

PLAIN = st.text(st.characters(codec="utf-8", exclude_characters='"\\', exclude_categories=("Cs", "Cc")))
INTEGERS = st.integers(-(2**53) + 1, 2**53 - 1)
KEYS = st.text(st.characters(max_codepoint=127), max_size=5)
JSON = st.recursive(
    st.none() | st.booleans() | INTEGERS | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)

TELLING = b'"\\,:{}[]0123456789-.eE \n\x00\x1f\x7f\xc3\xa9truefalsnu'
"""Bytes that mean something in JSON."""


def trained() -> Checker:
    """A checker that knows the shape of every kind."""
    checker = Checker()
    for kind in Kind:
        checker.check([canonical(logs.record(kind, n)) for n in range(20)])
    assert len(checker._shapes) == len(Kind)
    return checker


TRAINED = trained()


def answer(checker: Checker, leaf: bytes) -> object:
    """What a checker says of a record: its columns, or that it is bad."""
    try:
        return checker.read(leaf)
    except BadRecordError:
        return "bad"


@pytest.mark.parametrize("kind", Kind)
def test_a_record_says_the_same_in_both_ways(kind: Kind) -> None:
    """Matched or parsed, what a record says is what was put in."""
    record = logs.record(kind, 77)
    leaf = canonical(record)
    tenant = "" if kind in {Kind.START, Kind.STOP, Kind.AGGREGATE, Kind.RELEASE} else "t"
    expected = (f"{77:032x}", kind, logs.START_US + 77, tenant, record.get("idempotency_key"))
    assert answer(TRAINED, leaf) == answer(Checker(), leaf) == expected


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(Kind), st.data())
def test_matching_says_what_parsing_says(kind: Kind, data: st.DataObject) -> None:
    """However a record is changed, a checker that knows its shape and one that parses agree about it."""
    leaf = bytearray(canonical(logs.record(kind, 77)))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(leaf) - 1))
        how = data.draw(st.sampled_from(["replace", "insert", "delete", "repeat"]))
        byte = data.draw(st.sampled_from(TELLING) | st.integers(0, 255))
        if how == "replace":
            leaf[at] = byte
        elif how == "insert":
            leaf.insert(at, byte)
        elif how == "delete":
            del leaf[at : at + data.draw(st.integers(1, 20))]
        else:
            leaf[at:at] = leaf[at : at + data.draw(st.integers(1, 40))]
    assert answer(TRAINED, bytes(leaf)) == answer(Checker(), bytes(leaf))


@settings(max_examples=200, deadline=None)
@given(JSON, st.lists(PLAIN, max_size=3))
def test_whatever_the_gateway_writes_is_accepted(value: Any, texts: list[str]) -> None:
    """Any input and texts that are canonical for the gateway are so for the verifier, parsed or matched."""
    made = logs.record(Kind.REFUSAL, 5, input={"value": value}, method="".join(texts))
    checker = Checker()
    leaf = canonical(made)
    for n in range(10):
        part = checker.check([canonical({**made, "time_us": logs.START_US + n})])
        assert part.bad is None
    assert answer(checker, leaf) == answer(Checker(), leaf) != "bad"


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()), st.sampled_from(["input", "method"])
)
def test_only_what_the_gateway_could_write_is_accepted(value: bytes, field: str) -> None:
    """What is accepted is the canonical form of its own value, as another implementation writes it."""
    leaf = canonical(logs.record(Kind.REFUSAL, 5, **{field: "HERE"})).replace(b'"HERE"', value)
    try:
        same = canonical(parse(leaf)) == leaf
    except NotCanonicalError:
        same = False
    if answer(TRAINED, leaf) != "bad":
        assert same


BROKEN: dict[str, Callable[[dict[str, Any]], object]] = {
    "a field that nobody knows": lambda r: r.update(more=1),
    "a field inside that nobody knows": lambda r: r["clock"].update(more=1),
    "a field that is missing": lambda r: r.pop("readings"),
    "a field inside that is missing": lambda r: r["peer"].pop("address"),
    "the version as a boolean": lambda r: r.update(v=True),
    "another version": lambda r: r.update(v=2),
    "another kind": lambda r: r.update(kind="other"),
    "a kind that is no text": lambda r: r.update(kind=["refusal"]),
    "an outcome that nobody knows": lambda r: r.update(outcome="other"),
    "a decision id in capitals": lambda r: r.update(decision_id="A" * 32),
    "a short decision id": lambda r: r.update(decision_id="a" * 31),
    "a time as text": lambda r: r.update(time_us="1"),
    "a score with a fraction": lambda r: r["readings"][0].update(score=0.5),
    "a score that is true": lambda r: r["readings"][0].update(score=True),
    "an integer that is too large": lambda r: r["input"].update(now=2**53),
    "a number with a fraction in the input": lambda r: r["input"].update(now=1.5),
    "a name that is not ASCII in the input": lambda r: r["input"].update({"ä": 1}),
    "a list where an object belongs": lambda r: r.update(peer=[]),
    "an object where a list belongs": lambda r: r.update(rules={}),
    "a tenant that is null": lambda r: r["principal"].update(tenant=None),
}


@pytest.mark.parametrize("breaking", BROKEN.values(), ids=BROKEN)
def test_a_record_of_another_form_is_bad(breaking: Callable[[dict[str, Any]], object]) -> None:
    """Canonical or not, what is not of the format is refused, by both ways of checking."""
    made = json.loads(canonical(logs.record(Kind.REFUSAL, 5)))
    breaking(made)
    leaf = json.dumps(made, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    assert answer(TRAINED, leaf) == answer(Checker(), leaf) == "bad"


@pytest.mark.parametrize(
    "leaf",
    [b"", b"null", b"[]", b"{}", b"\xff", b"{" * 60_000, b"[" * 60_000, b"9" * 5000, b'"' + b"a" * MAX_BYTES + b'"'],
)
def test_what_is_no_record_is_bad(leaf: bytes) -> None:
    """Anything but a record is refused with the one error."""
    assert answer(TRAINED, leaf) == answer(Checker(), leaf) == "bad"


def test_a_record_that_is_too_large_is_bad() -> None:
    """A record has at most 65,535 bytes."""
    small = canonical(logs.record(Kind.REFUSAL, 5, method=""))
    for more, bad in ((0, False), (1, True)):
        leaf = canonical(logs.record(Kind.REFUSAL, 5, method="a" * (MAX_BYTES - len(small) + more)))
        assert (answer(TRAINED, leaf) == "bad") is bad


def test_an_omission_has_to_be_told() -> None:
    """A record without its input is bad, and is not when `omitted` says so."""
    made = {key: value for key, value in logs.record(Kind.REFUSAL, 5).items() if key != "input"}
    assert answer(Checker(), canonical(made)) == "bad"
    assert answer(Checker(), canonical({**made, "omitted": ["input"]})) != "bad"


def test_shapes_are_bounded() -> None:
    """A log whose records all differ in shape is checked all the same, and no more than so many shapes are kept."""
    checker = Checker()
    for n in range(600):
        leaves = [canonical(logs.record(Kind.STOP, n, omitted=[])) for _ in range(8)]
        shaped = [leaf.replace(b'"omitted":[]', b'"omitted":["x"]') for leaf in leaves]
        assert checker.check(shaped).bad is None
    assert len(checker._shapes) <= 2


@given(st.binary(max_size=40))
def test_plain_is_what_patterns_hold_for(text: bytes) -> None:
    """Plain is UTF-8 without backslashes and control characters."""
    try:
        decoded = text.decode()
    except UnicodeDecodeError:
        assert not is_plain(text)
        return
    assert is_plain(text) == (text == b"" or ("\\" not in decoded and all(c >= " " for c in decoded)))


def test_a_batch_tells_the_first_that_is_bad() -> None:
    """The earliest problem of a batch is told, of whichever sort."""
    good = [canonical(logs.record(Kind.INTENT, n)) for n in range(4)]
    second = canonical(logs.record(Kind.INTENT, 1, after_us=1))
    old = canonical(logs.record(Kind.INTENT, 9, after_us=-20_000_000))
    for batch, at, what in (
        ([*good, second, old], 4, "a second intent"),
        ([*good, old, second], 4, "older than"),
        ([*good, b"{}", old], 4, "malformed"),
        ([good[0], second, *good[2:], b"{}", good[1]], 5 - 1, "malformed"),
    ):
        bad = Checker().check(batch).bad
        assert bad is not None
        assert bad.at == at
        assert what in bad.what
