"""A watched file: read once, read again when it changes, and never stale when it breaks."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from gateway.identity.reloading import UnreadableError, Watched


class Counted:
    """A parser that counts how often it is asked."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, data: bytes) -> str:
        self.times += 1
        return data.decode("ascii")


def replace(path: Path, data: bytes) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_bytes(data)
    fresh.replace(path)


async def test_a_file_is_parsed_once_a_change(tmp_path: Path) -> None:
    """Any number of uses, at once or in a row, parse each content once."""
    path, parse = tmp_path / "file", Counted()
    replace(path, b"one")
    watched = Watched(path, parse, 10)
    assert await asyncio.gather(*(watched.current() for _ in range(20))) == ["one"] * 20
    replace(path, b"two")
    assert [await watched.current() for _ in range(3)] == ["two"] * 3
    assert parse.times == 2


async def test_calls_that_are_cancelled_do_not_read_it_again(tmp_path: Path) -> None:
    """Of calls whose time ends while a file is read, none makes the next one read it a second time beside the first."""
    path, parse, go_on = tmp_path / "file", Counted(), threading.Event()
    replace(path, b"one")

    def slow(data: bytes) -> str:
        go_on.wait()
        return parse(data)

    watched = Watched(path, slow, 10)
    for _ in range(4):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await watched.current()
    go_on.set()
    assert await watched.current() == "one"
    await asyncio.get_running_loop().shutdown_default_executor()
    assert parse.times == 1


async def test_a_broken_file_never_yields_the_content_of_before(tmp_path: Path) -> None:
    """Unparsable, too large or missing, the file is an error that names it, until it is good again."""
    path = tmp_path / "file"
    replace(path, b"good")
    watched = Watched(path, Counted(), 10)
    await watched.current()
    for broken in (b"\xff", b"x" * 11, None):
        if broken is None:
            path.unlink()
        else:
            replace(path, broken)
        for _ in range(2):
            with pytest.raises(UnreadableError, match=str(path)):
                await watched.current()
    replace(path, b"good again")
    assert await watched.current() == "good again"


async def test_a_file_that_is_no_file_is_an_error(tmp_path: Path) -> None:
    """A folder where a file belongs can be seen, but not read."""
    with pytest.raises(UnreadableError, match="cannot be read"):
        await Watched(tmp_path, Counted(), 10).current()
