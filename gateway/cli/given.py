"""Text that is typed and goes into records and queries. Bytes that are no UTF-8 come as halves of characters."""

from __future__ import annotations

import typer


def text(value: str) -> str:
    """The text, as a callback of its option. Raises typer.BadParameter, which names the option."""
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise typer.BadParameter("is not UTF-8") from error
    return value


def something(value: str) -> str:
    """The same where it can't be left empty."""
    if not value.strip():
        raise typer.BadParameter("is empty; give at least a letter")
    return text(value)
