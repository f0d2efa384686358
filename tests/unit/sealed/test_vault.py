"""Wrapping keys in files, on a disk that fails at each step."""

from __future__ import annotations

import errno
import os
from itertools import count
from pathlib import Path

import pytest

from gateway.audit.sealed.envelope import Period
from gateway.audit.sealed.vault import Files
from tests.support.failing import failing_at

PERIOD = Period("t", "standard", "2026-11")
KEY = "t.standard.2026-11.key"
STEPS = [(os, name) for name in ("open", "fsync", "replace", "link")]


def test_a_key_that_could_not_be_made_durable_leaves_nothing_and_is_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever step fails, no copy of a key is left; a key that is there already is used once its name is durable."""
    for step in count(1):
        folder = tmp_path / str(step)
        folder.mkdir()
        vault = Files(folder)
        with monkeypatch.context() as patch:
            done = failing_at(step, patch, STEPS)
            try:
                vault.create(PERIOD)
            except OSError as error:
                assert error.errno == errno.ENOSPC
            if len(done) < step:
                break
            assert [path.name for path in folder.iterdir()] in ([], [KEY])
            done.clear()
            vault.create(PERIOD)
            assert done[-1:] == ["fsync"]
        assert vault.unwrap(PERIOD, vault.wrap(PERIOD, b"data", b"bound"), b"bound") == b"data"
        assert [path.name for path in folder.iterdir()] == [KEY]
    assert step > 4


def test_a_key_is_destroyed_by_the_try_that_succeeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A purge whose disk fails at any step is told so, and the next one destroys the key."""
    for step in count(1):
        vault = Files(tmp_path)
        vault.create(PERIOD)
        with monkeypatch.context() as patch:
            done = failing_at(step, patch, STEPS)
            try:
                vault.destroy(PERIOD)
            except OSError as error:
                assert error.errno == errno.ENOSPC
            broke_off = len(done) >= step
        vault.destroy(PERIOD)
        assert list(tmp_path.iterdir()) == []
        if not broke_off:
            break
    assert step > 2
