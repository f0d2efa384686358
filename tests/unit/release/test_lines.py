"""Where a value stands in a document."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.release.lines import line

TEXT = """{
 "tenants": [
  {"id": "a", "odd \\" , { [": [], "grants": [
    {"id": "g", "expires": 1},
    {"id": "h", "expires": "soon"}
  ]},
  {
   "id": "b"
  }
 ]
}"""

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=20,
)


def test_a_value_is_found() -> None:
    """The line is that of the value, whatever keys and texts look like."""
    assert line(TEXT, ("tenants",)) == 2
    assert line(TEXT, ("tenants", 0, 'odd " , { [')) == 3
    assert line(TEXT, ("tenants", 0, "grants", 1, "expires")) == 5
    assert line(TEXT, ("tenants", 1, "id")) == 8


def test_what_is_not_there_is_looked_for_where_it_belongs() -> None:
    """A key that is missing leads to the object that lacks it."""
    assert line(TEXT, ("tenants", 1, "grants")) == 7
    assert line(TEXT, ("models",)) == 1


@given(values)
def test_every_value_is_found(value: Any) -> None:
    """In a document with a value a line, every value stands on the line where counting puts it."""
    text = json.dumps(value, indent=1)
    for path, row in counted(value, (), 1)[0]:
        assert line(text, path) == row


def counted(value: Any, path: tuple[Any, ...], row: int) -> tuple[list[tuple[tuple[Any, ...], int]], int]:
    """Every path with its line, and the line on which the value ends, as json.dumps with an indent writes it."""
    found = [(path, row)]
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        below, row = counted(one, (*path, key), row + 1)
        found += below
    return found, row + 1 if isinstance(value, dict | list) and value else row
