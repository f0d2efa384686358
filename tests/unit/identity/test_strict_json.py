"""Strict JSON: one meaning or ValueError."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.identity import strict_json

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(JSON)
def test_json_is_read_as_it_is_written(value: object) -> None:
    """Whatever has one meaning is read."""
    assert strict_json.loads(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    "text",
    [
        b'{"a": 1, "a": 1}',
        b'[{"b": {"a": 1, "\\u0061": 2}}]',
        b"NaN",
        b"[Infinity]",
        b"-Infinity",
        b"[" * 100_000,
        b"9" * 5000,
        b'\xef\xbb\xbf"bom"',
        b'"\xff"',
        b"1 2",
        b"",
        '"utf-16"'.encode("utf-16"),
    ],
)
def test_what_has_no_single_meaning_is_refused(text: bytes) -> None:
    """Names twice, NaN, bottomless nesting, huge numbers, other encodings, trailing text: ValueError."""
    with pytest.raises(ValueError, match=r"."):
        strict_json.loads(text)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_a_value_error(data: bytes) -> None:
    """The parser raises ValueError and nothing else, and agrees with the standard library where it reads."""
    try:
        value = strict_json.loads(data)
    except ValueError:
        return
    assert value == json.loads(data)
