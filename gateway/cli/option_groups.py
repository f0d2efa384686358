"""Groups of options that several commands share. Each group is a function from its options to one value."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

R = TypeVar("R")


def takes(**groups: Callable[..., object]) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Give a command the options of these groups. Its parameter named like a group gets the group's value.

    Groups are evaluated in the order given. A group whose value has to be closed should therefore be last.
    """

    def decorate(command: Callable[..., R]) -> Callable[..., R]:
        options = {name: inspect.signature(group, eval_str=True).parameters for name, group in groups.items()}

        @functools.wraps(command)
        def run(**given: Any) -> R:
            made = {n: group(**{o: given.pop(o) for o in options[n]}) for n, group in groups.items()}
            return command(**given, **made)

        own = inspect.signature(command, eval_str=True).parameters
        shared = [p for parameters in options.values() for p in parameters.values()]
        everything = [*shared, *(p for p in own.values() if p.name not in groups)]
        keyword = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in everything]
        run.__signature__ = inspect.Signature(keyword)  # type: ignore[attr-defined]  # what inspect.signature looks for
        return run

    return decorate
