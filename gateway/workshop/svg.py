"""Draws inline SVG that needs no script, network or font. The page defines the colours."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape


def svg(width: float, height: float, parts: Sequence[str], label: str) -> str:
    """A drawing of that size. label: a description for people who can't see it."""
    size = f'viewBox="0 0 {width:.0f} {height:.0f}" style="max-width:{width:.0f}px"'
    return f'<svg role="img" aria-label="{escape(label)}" {size}>{"".join(parts)}</svg>'


def rect(x: float, y: float, width: float, height: float, style: str) -> str:
    """A rectangle. style: trusted attributes, inserted without escaping."""
    return f'<rect {style} x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="3"/>'


def text(x: float, y: float, text: str, anchor: str = "start", css: str = "") -> str:
    """Text at a position, escaped."""
    return f'<text class="{css}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def short(name: str) -> str:
    """The name, shortened to fit beside a bar."""
    return name if len(name) <= 36 else f"{name[:35]}…"
