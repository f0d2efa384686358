"""Text on a terminal that somebody else may have written.

Control characters and bidirectional overrides are replaced, and no markup in it is read.
"""

from __future__ import annotations

import re

from rich.console import Console
from rich.text import Text

_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def line(console: Console, text: str, style: str = "") -> None:
    """Print text that somebody else may have written: nothing in it is obeyed."""
    console.print(Text(safe(text), style=style), soft_wrap=True)


def safe(text: str) -> str:
    """The text without what a terminal would obey."""
    return _UNSAFE.sub("\N{REPLACEMENT CHARACTER}", text)
