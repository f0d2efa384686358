"""Enums of the contract as lower-case words. The zero value of every enum is PREFIX_UNSPECIFIED."""

from __future__ import annotations

from typing import Any

from brightline.errors import NotThisGateway


def _prefix(enum: Any) -> str:
    return str(enum.DESCRIPTOR.values[0].name).removesuffix("UNSPECIFIED")


def number(enum: Any, word: str) -> Any:
    """The enum value of a word."""
    return enum.Value(_prefix(enum) + word.upper())


def word(enum: Any, number: int) -> str:
    """The word of a received enum value. Raises NotThisGateway for zero and for unknown numbers."""
    value = enum.DESCRIPTOR.values_by_number.get(number)
    if value is None or number == 0:
        raise NotThisGateway(f"the answer holds {enum.DESCRIPTOR.name} {number}, which this client does not know")
    return str(value.name).removeprefix(_prefix(enum)).lower()
