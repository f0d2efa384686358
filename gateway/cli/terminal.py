"""Text on a terminal that somebody else may have written.

Control characters and bidirectional overrides are replaced, and no markup in it is read. What is printed as a line
stays one: whoever could begin another would say there whatever he wants, in our words.
"""

from __future__ import annotations

import re

from rich.console import Console
from rich.text import Text

_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_REPLACED = "\N{REPLACEMENT CHARACTER}"


def line(console: Console, text: str, style: str = "") -> None:
    """Print a line with text that somebody else may have written: nothing is obeyed, and no second line begins."""
    console.print(Text(safe(text).replace("\n", _REPLACED), style=style), soft_wrap=True)


def safe(text: str) -> str:
    """The text without what a terminal would obey, but for ends of lines."""
    return _UNSAFE.sub(_REPLACED, text)
