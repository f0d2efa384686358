"""Files that are read and replaced whole: checkpoints, cursors, what a witness signed. The disk fails at each step."""

from __future__ import annotations

import errno
import io
import os
from itertools import count
from pathlib import Path

import pytest

from gateway.audit import disk
from tests.support.failing import failing_at

OLD, NEW = b"old\n" * 10_000, b"new\n" * 20_000


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EMFILE])
def test_a_replaced_file_is_old_or_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Whichever step fails, the error names the file, which is old or new as a whole, and the next try succeeds."""
    for step in count(1):
        whole = disk.Whole(tmp_path / "file")
        whole.path.write_bytes(OLD)
        with monkeypatch.context() as patch:
            failing_at(step, patch, ((os, "open"), (os, "fsync"), (os, "replace"), (io, "open")), number)
            try:
                whole.write(NEW)
            except OSError as error:
                assert (error.errno, error.filename) == (number, str(whole.path))
            else:
                assert step > 5
                return
        assert whole.read() in {OLD, NEW}
        whole.write(NEW)
        assert whole.read() == NEW
