"""The page for a policy meeting: one self-contained HTML file without scripts, for light and dark displays."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Final

from gateway.workshop.charts import MOST, bars, matrix
from gateway.workshop.impact import Flip, Impact, Row, by_purpose, by_rule, by_tenant

ASSETS: Final = Path(__file__).parent.parent / "assets"
LOOSER: Final = 100
STRICTER: Final = 25
"""How many decisions of each kind the page lists."""


def page(impact: Impact, old: str, new: str, old_revision: str, new_revision: str) -> str:
    """The page, as HTML."""
    ordered = impact.ordered()
    looser = [flip for flip in ordered if flip.loosened]
    stricter = [flip for flip in ordered if not flip.loosened]
    return Template((ASSETS / "impact.html").read_text(encoding="utf-8")).substitute(
        style=(ASSETS / "page.css").read_text(encoding="utf-8"),
        verdict=_verdict(len(looser), len(stricter)),
        mood="bad" if looser else "good",
        decisions=f"{impact.decisions():,}",
        looser=f"{len(looser):,}",
        stricter=f"{len(stricter):,}",
        unchanged=f"{impact.decisions() - len(ordered):,}",
        left_out=f"{len(impact.errors):,} lines were no inputs and were left out." if impact.errors else "",
        matrix=matrix(impact.matrix),
        by_rule=_plot(by_rule(impact), "Flips by rule or obligation"),
        by_tenant=_plot(by_tenant(impact), "Flips by tenant"),
        by_purpose=_plot(by_purpose(impact), "Flips by purpose"),
        looser_list=_list(looser, LOOSER),
        stricter_list=_list(stricter, STRICTER),
        old=escape(old),
        new=escape(new),
        old_revision=escape(old_revision),
        new_revision=escape(new_revision),
    )


def _verdict(looser: int, stricter: int) -> str:
    if looser:
        return f"{looser:,} {'decision becomes' if looser == 1 else 'decisions become'} looser"
    return "No decision becomes looser" if stricter else "No decision changes"


def _plot(rows: Sequence[Row], label: str) -> str:
    if not rows:
        return '<p class="quiet">Nothing flips.</p>'
    left_out = f'<p class="quiet">and {len(rows) - MOST} more</p>' if len(rows) > MOST else ""
    return bars(rows, label) + left_out


def _list(flips: Sequence[Flip], most: int) -> str:
    if not flips:
        return '<p class="quiet">None.</p>'
    rows = "".join(_row(flip) for flip in flips[:most])
    left_out = f'<p class="quiet">{most} of {len(flips):,}; --json has them all.</p>' if len(flips) > most else ""
    head = "<tr><th>Decision<th>Tenant<th>Purpose<th>Stage<th>Effect<th>No longer<th>Now"
    return f'<div class="wide"><table><thead>{head}<tbody>{rows}</table></div>{left_out}'


def _row(flip: Flip) -> str:
    short = (flip.id, flip.tenant, flip.purpose, flip.stage, flip.step())
    cells = [f"<td>{escape(cell)}" for cell in short]
    return "<tr>" + "".join(cells + [f'<td class="free">{escape(", ".join(names))}' for names in (flip.gone, flip.new)])
