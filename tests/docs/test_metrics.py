"""What documents and the dashboard say of metrics is what there is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from gateway.telemetry.families import FAMILIES
from tests.docs.pages import ROOT, rows

OPERATORS = "docs/operators-page.md"
DASHBOARD = ROOT / "deploy/grafana/brightline.json"
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum")}
NAMES = {family.name + suffix: family for family in FAMILIES for suffix in SUFFIXES[family.kind]}


def test_every_metric_is_explained() -> None:
    """The table of metrics has every one with its kind and labels, in order."""
    expected = [[f.name + ("_total" if f.kind == "counter" else ""), f.kind, ", ".join(f.labels)] for f in FAMILIES]
    assert [row[:3] for row in rows(OPERATORS, "Metrics")] == expected


def test_alerts_are_queries_of_metrics_that_there_are() -> None:
    """Every expression of the table is PromQL, and of metrics and labels of the gateway."""
    for row in rows(OPERATORS, "What to alert on"):
        understood(row[0])


def test_the_dashboard_is_what_grafana_takes() -> None:
    """Read as Grafana's own published types and written again, the file is the same: it has nothing that they lack."""
    register_default_plugins()
    made = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    lacking(made, json.loads(JSONEncoder().encode(Dashboard.from_json(made))), "dashboard")


def lacking(made: Any, taken: Any, where: str) -> None:
    """Fails where something of the one is not in the other; what is left out there has a default."""
    if isinstance(made, dict):
        assert isinstance(taken, dict), where
        for key, value in made.items():
            assert key in taken, f"{where}.{key}"
            lacking(value, taken[key], f"{where}.{key}")
    elif isinstance(made, list):
        assert isinstance(taken, list), where
        assert len(made) == len(taken), where
        for number, (one, other) in enumerate(zip(made, taken, strict=True)):
            lacking(one, other, f"{where}[{number}]")
    else:
        assert made == taken, where


def test_panels_have_places_and_names_of_their_own() -> None:
    """No two panels have one id, overlap, or reach beyond the 24 columns; every one but a row has a query."""
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        mine = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not mine & taken, panel["title"]
        assert max(x for x, _ in mine) < 24, panel["title"]
        taken |= mine
        assert panel["type"] == "row" or panel["targets"], panel["title"]


def test_the_dashboard_asks_for_metrics_that_there_are() -> None:
    """Every query is PromQL, and of metrics and labels of the gateway; every metric is in some panel."""
    asked = set[str]()
    for text in queries(json.loads(DASHBOARD.read_text(encoding="utf-8"))):
        asked |= understood(text.replace("$__rate_interval", "5m").replace("$job", "job").replace("$instance", ".*"))
    shown = {NAMES[name].name for name in asked}
    assert shown == {family.name for family in FAMILIES}


def queries(part: Any) -> Iterator[str]:
    """Every expression in a dashboard."""
    if isinstance(part, dict):
        yield from (value for key, value in part.items() if key == "expr")
        part = list(part.values())
    if isinstance(part, list):
        for one in part:
            yield from queries(one)


SELECTOR = re.compile(r"(brightline_\w+)(?:\{([^}]*)\})?")
GROUPED = re.compile(r"(?:by|on|group_left) \(([^)]*)\)")


def understood(text: str) -> set[str]:
    """The metrics of an expression that a parser of PromQL takes; fails where one or a label of it is not there."""
    promql_parser.parse(text)
    found = SELECTOR.findall(text)
    assert found, text
    known = {"job", "instance", "le"}
    for name, labels in found:
        assert name in NAMES, text
        mine = {*NAMES[name].labels, "job", "instance", "le"}
        known |= mine
        assert set(re.findall(r"(\w+)\s*(?:=~|!=|=)", labels)) <= mine, text
    for names in GROUPED.findall(text):
        assert set(names.split(", ")) <= known, text
    return {name for name, _ in found}


@pytest.mark.parametrize("text", ["rate(brightline_calls_total)", "brightline_callz", 'brightline_ready{x="y"}', "1 +"])
def test_what_is_no_query_of_ours_is_found(text: str) -> None:
    """The check itself refuses what is no PromQL, no metric and no label."""
    with pytest.raises((AssertionError, ValueError)):
        understood(text)
