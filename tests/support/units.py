"""Parses systemd units for tests, and applies their system call filter without systemd."""

from __future__ import annotations

import ctypes
import re
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

PROGRAM = "systemd-analyze"
NUMBERS = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")

needs_systemd = pytest.mark.skipif(shutil.which(PROGRAM) is None, reason=f"{PROGRAM} is not installed")
needs_numbers = pytest.mark.skipif(not NUMBERS.exists(), reason=f"{NUMBERS} is not installed")


def directives(unit: Path) -> dict[str, list[str]]:
    """The values in a unit, by directive."""
    found: dict[str, list[str]] = {}
    for line in unit.read_text(encoding="utf-8").splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def analysed(*words: str) -> str:
    """The output of systemd-analyze, which must not contain warnings."""
    return subprocess.run([PROGRAM, *words], capture_output=True, text=True, timeout=120, check=True).stdout


def permitted(unit: Path, *more: str) -> set[int]:
    """The numbers of the system calls that a unit permits on x86_64, together with those of `more`."""
    names = set[str]()
    for value in directives(unit)["SystemCallFilter"]:
        names = names - _calls(value[1:]) if value.startswith("~") else names | _calls(value)
    names |= {*more}
    known = dict(re.findall(r"^#define __NR_(\w+) (\d+)$", NUMBERS.read_text(), re.MULTILINE))
    return {int(known[name]) for name in names if name in known}


def _calls(name: str) -> set[str]:
    lines = [line.split("#")[0].strip() for line in analysed("syscall-filter", name).splitlines()[1:]]
    found = set[str]()
    for line in filter(None, lines):
        found |= _calls(line) if line.startswith("@") else {line}
    return found


def filtering(numbers: set[int]) -> Callable[[], None]:
    """A function for a new process, before its program runs: from then on any other system call kills it."""
    load, equal, done = 0x20, 0x15, 0x06
    allow, kill = 0x7FFF0000, 0x80000000
    steps = [(load, 0, 0, 0)]
    for number in sorted(numbers):
        steps += [(equal, 0, 1, number), (done, 0, 0, allow)]
    steps.append((done, 0, 0, kill))
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(steps), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)

    def begin() -> None:
        assert code
        privileges, seccomp, by_filter = 38, 22, 2
        if libc.prctl(privileges, 1, 0, 0, 0) or libc.prctl(seccomp, by_filter, program, 0, 0):
            raise OSError(ctypes.get_errno(), "no seccomp")

    return begin
