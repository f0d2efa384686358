"""Lines of inputs: every one is an input or an error, and none stops the next."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.workshop.lines import MAX_LINE, chunks, lines


@pytest.mark.parametrize(
    ("raw", "ident"),
    [
        (b'{"stage": "request"}', "1"),
        (b'{"id": "a", "input": {"stage": "request"}}', "a"),
        (b'{"id": 7, "input": {"stage": "request"}}', "7"),
    ],
)
def test_an_input_is_bare_or_has_an_id(raw: bytes, ident: str) -> None:
    """A line is an input, named by its number, or an input with an id of its own."""
    (line,) = lines(io.BytesIO(raw))
    assert (line.id, line.input, line.error) == (ident, {"stage": "request"}, "")


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"[]",
        b"1.5",
        b"null",
        b'{"a": 1.5}',
        b'{"a": 1, "a": 2}',
        b"\xff",
        b'{"id": true, "input": {}}',
        b'{"id": "a", "input": []}',
        b'{"id": "a", "input": {}, "more": 1}',
        b'{"a": "' + b"x" * MAX_LINE + b'"}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_input_is_named_and_the_next_line_is_read(raw: bytes) -> None:
    """A line that is no input has an error that begins with its number; the line after it is an input."""
    bad, good = lines(io.BytesIO(raw + b"\n\n{}\n"))
    assert bad.error.startswith("line 1: ")
    assert bad.input == {}
    assert (good.id, good.error) == ("3", "")


@given(st.binary(max_size=200))
def test_anything_is_inputs_and_errors(raw: bytes) -> None:
    """Whatever the bytes, each line that is not empty is an input or an error."""
    found = list(lines(io.BytesIO(raw)))
    assert len(found) == sum(1 for part in raw.split(b"\n") if part.strip())
    assert all(line.id for line in found)


@given(st.integers(0, 30), st.integers(1, 7))
def test_chunks_are_all_lines_in_order(count: int, size: int) -> None:
    """Chunks have the lines in order, each full but the last."""
    made = list(chunks(lines(io.BytesIO(b"{}\n" * count)), size))
    assert [line.id for chunk in made for line in chunk] == [str(n) for n in range(1, count + 1)]
    assert all(len(chunk) == size for chunk in made[:-1])
