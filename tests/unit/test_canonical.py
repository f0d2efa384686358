"""Canonical JSON: the same bytes as the reference, or a refusal."""

from __future__ import annotations

import json
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from gateway.canonical import (
    MAX_INTEGER,
    NotCanonicalError,
    Written,
    WrittenArray,
    canonical,
    digest,
    parse,
)

keys = st.text(st.characters(min_codepoint=0, max_codepoint=127), max_size=8)
scalars = st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | st.text()
values = st.recursive(scalars, lambda v: st.lists(v, max_size=5) | st.dictionaries(keys, v, max_size=5), max_leaves=20)


@given(values)
def test_bytes_equal_the_reference_implementation(value: object) -> None:
    """Every accepted value has exactly the bytes that RFC 8785's reference implementation gives it."""
    assert canonical(value) == rfc8785.dumps(value)


def written_once(value: Any) -> Any:
    """The same value of parts whose bytes are made once."""
    match value:
        case dict():
            return Written({key: written_once(item) for key, item in value.items()})
        case list():
            return WrittenArray([written_once(item) for item in value])
    return value


@given(values)
def test_what_is_written_once_reads_and_is_written_as_what_it_holds(value: object) -> None:
    """Whatever is made of parts whose bytes were made before is equal to the plain value, and has its bytes."""
    once = written_once(value)
    assert [canonical(once), canonical([once, once])] == [canonical(value), canonical([value, value])]
    assert parse(canonical({"a": once})) == {"a": value}
    if isinstance(value, dict):
        assert {**once}.keys() == value.keys()


@given(values)
def test_canonical_bytes_read_back(value: object) -> None:
    """Parsing the canonical bytes gives the value back."""
    assert json.loads(canonical(value)) == value


@pytest.mark.parametrize(
    "value", [1.0, {"a": 0.5}, 2**53, -(2**53), {"é": 1}, {1: 2}, "\ud800", [b"x"], {"a": {"b": [float("nan")]}}]
)
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    """Floats, large integers, keys that are not ASCII, lone surrogates and foreign types raise the one error."""
    for wrong in (value, written_once(value), [written_once({"a": value})], {"a": WrittenArray([value])}):
        with pytest.raises(NotCanonicalError):
            canonical(wrong)


def test_digest_is_of_the_canonical_bytes() -> None:
    """Key order does not change a digest."""
    assert digest({"b": 1, "a": 2}) == digest({"a": 2, "b": 1})
    assert digest({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


@given(values)
def test_parsing_undoes_canonical(value: object) -> None:
    """What was written canonically parses to what it was."""
    assert parse(canonical(value)) == value


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b'{"a":1,"a":1}', b"1.0", b"1e3", b"NaN", b"Infinity", b"\xff", b"\xef\xbb\xbf1", b"[" * 100_000],
)
def test_what_readers_could_take_differently_is_refused(text: bytes) -> None:
    """Truncation, a key twice, floats, NaN, other encodings and endless nesting raise the one error."""
    with pytest.raises(NotCanonicalError):
        parse(text)


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_parse_or_raise_the_one_error(text: bytes) -> None:
    """Whatever arrives, there is a value or NotCanonicalError."""
    try:
        value = parse(text)
    except NotCanonicalError:
        return
    assert parse(json.dumps(value).encode()) == value
