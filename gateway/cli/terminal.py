"""Prints untrusted text on a terminal.

Control characters and bidirectional overrides are replaced, and markup is not interpreted. Text that is printed as a
line stays one line: a second line could pass for the program's own output.
"""

from __future__ import annotations

import re

from rich.console import Console
from rich.text import Text

_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_REPLACED = "\N{REPLACEMENT CHARACTER}"


def line(console: Console, text: str, style: str = "") -> None:
    """Print one line of untrusted text, without control characters or further lines."""
    console.print(Text(safe(text).replace("\n", _REPLACED), style=style), soft_wrap=True)


def safe(text: str) -> str:
    """The text with everything replaced that could control a terminal, except line ends."""
    return _UNSAFE.sub(_REPLACED, text)
