"""The pages of the rules are what their METADATA says."""

from __future__ import annotations

from gateway.workshop import pages
from gateway.workshop.catalogue import catalogue
from tests.docs.pages import ROOT, rows


def test_every_rule_has_its_page() -> None:
    """What is committed below docs is what `brightline policy docs` writes."""
    assert list(pages.drifted(ROOT / "docs", pages.pages(catalogue(ROOT / "rego")[0], "../rego"))) == []


def test_counsel_reads_every_rule() -> None:
    """The page for counsel has a row with statement, source and exception for every rule folder, in its layer."""
    for layer in sorted((ROOT / "rego/brightline/rules").iterdir()):
        table = rows("docs/counsel.md", layer.name)
        assert sorted(row[0].rpartition("/")[2].removesuffix(".md)") for row in table) == sorted(
            p.name for p in layer.iterdir()
        )
        assert all(all(cells) for cells in table)
