"""Files that are read and replaced whole: checkpoints, cursors, what a witness signed. The disk fails at each step."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from gateway.audit import disk

OLD, NEW = b"old\n" * 10_000, b"new\n" * 20_000


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EMFILE])
def test_a_replaced_file_is_old_or_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Whichever step fails, who writes is told, the file is the old one or the new one, and the next try succeeds."""
    for step in count(1):
        whole, passed = disk.Whole(tmp_path / "file"), count(1)
        whole.path.write_bytes(OLD)

        def failing(real: Callable[..., Any], passed: count[int] = passed, step: int = step) -> Callable[..., Any]:
            def call(*arguments: Any, **options: Any) -> Any:
                if next(passed) == step:
                    raise OSError(number, os.strerror(number))
                return real(*arguments, **options)

            return call

        with monkeypatch.context() as patch:
            for owner, name in ((os, "open"), (os, "fsync"), (os, "replace"), (io, "open")):
                patch.setattr(owner, name, failing(getattr(owner, name)))
            try:
                whole.write(NEW)
            except OSError as error:
                assert error.errno == number
            else:
                assert step > 5
                return
        assert whole.read() in {OLD, NEW}
        whole.write(NEW)
        assert whole.read() == NEW
