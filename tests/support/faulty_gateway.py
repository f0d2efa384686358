"""A gateway with faulty parts: each raises when it sees its word, and the error's text holds all of its arguments.

python -m tests.support.faulty_gateway serve --config gateway.toml
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from gateway import facts, output
from gateway.cli import main
from gateway.identity import Identity
from gateway.pdp import wasm
from gateway.signals import Detectors

WORDS = ("break-detectors", "break-facts", "break-engine", "break-output")


def broken(part: Callable[..., Any], word: str) -> Callable[..., Any]:
    """The part, changed to raise if its arguments contain the word."""

    def call(*arguments: Any, **named: Any) -> Any:
        arguments = tuple(list(a) if isinstance(a, Iterator) else a for a in arguments)
        given = f"{arguments} {named}"
        if word in given:
            raise RuntimeError(f"broken by {given}\r\n\x1b[31mforged")
        return part(*arguments, **named)

    return call


if __name__ == "__main__":
    Detectors.read = broken(Detectors.read, WORDS[0])  # type: ignore[method-assign]
    facts.gather = broken(facts.gather, WORDS[1])
    wasm._Wasm.decide = broken(wasm._Wasm.decide, WORDS[2])  # type: ignore[method-assign]
    output.judge_whole = broken(output.judge_whole, WORDS[3])
    Identity.prove = broken(Identity.prove, "break-identity")  # type: ignore[method-assign]
    main()
