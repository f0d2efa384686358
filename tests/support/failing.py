"""A disk that fails once, at the n-th operation, so that a test can try every step of a write."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable
from itertools import count
from types import ModuleType
from typing import Any

import pytest


def failing_at(
    step: int, patch: pytest.MonkeyPatch, steps: Iterable[tuple[ModuleType, str]], number: int = errno.ENOSPC
) -> list[str]:
    """From now on the disk fails once, at that step. The returned list gets all steps, also later ones."""
    done, passed = list[str](), count(1)

    def failing(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            done.append(name)
            if next(passed) == step:
                raise OSError(number, os.strerror(number))
            return real(*arguments, **options)

        return call

    for module, name in steps:
        patch.setattr(module, name, failing(name, getattr(module, name)))
    return done
