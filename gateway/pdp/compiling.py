"""Compiles a module in a process of its own, at low priority: neither its time nor its memory is that of calls.

What comes back is machine code that the gateway will run. So it is taken from nowhere but the pipe of the process that
was started here, for the bytes that were given to it, and is never in a file that somebody could change.
"""

from __future__ import annotations

import os
import subprocess
import sys

import wasmtime

PATIENCE_S = 120.0


class CompilerError(Exception):
    """There is no machine code. The text says why."""


def settings() -> wasmtime.Config:
    """What both sides of the pipe have to agree on. Epochs stop what runs on."""
    config = wasmtime.Config()
    config.epoch_interruption = True
    return config


def compiled(wasm: bytes) -> bytes:
    """The machine code of a module. Blocks; raises CompilerError."""
    # By its path and isolated, so that the process imports wasmtime and nothing of the gateway.
    command = [sys.executable, "-I", __file__]
    try:
        done = subprocess.run(command, input=wasm, capture_output=True, check=False, timeout=PATIENCE_S)  # noqa: S603 - ours
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CompilerError(f"the compiler did not end well: {type(error).__name__}") from error
    if done.returncode != 0:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise CompilerError(lines[-1] if lines else f"the compiler ended with {done.returncode}")
    return done.stdout


def _main() -> None:
    os.nice(10)
    module = wasmtime.Module(wasmtime.Engine(settings()), sys.stdin.buffer.read())
    sys.stdout.buffer.write(module.serialize())


if __name__ == "__main__":
    _main()
