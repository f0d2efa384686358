"""The report as one self-contained HTML file without scripts, for light and dark displays and for print."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from string import Template
from typing import Final

from gateway.oversight import plots
from gateway.oversight.clocks import CLOCKS, Incident
from gateway.oversight.counting import APPROVAL, CALLS, DENIED, OTHERWISE, PERMITTED, Counts, Fired
from gateway.oversight.report import Oversight, minute
from gateway.workshop.page import ASSETS

MOST_ROWS: Final = 100
"""The most rows in a table. The JSON report has all of them."""

_ANSWERS: Final = {
    "completed": "ended as it should",
    "refused_output": "refused by a rule",
    "partial": "broke off after a part was released",
    "upstream_error": "the model's service failed",
    "outcome_unknown": "nobody knows: the gateway crashed meanwhile",
    "not_forwarded": "never forwarded: the intent was durable too late",
    "cancelled": "the caller went away",
    "deadline": "the time was over",
    "error": "the gateway failed",
}


def page(made: Oversight) -> str:
    """The page, as HTML."""
    counts = made.counts
    of = plots.WORDS
    return Template((ASSETS / "oversight.html").read_text(encoding="utf-8")).substitute(
        style=(ASSETS / "page.css").read_text(encoding="utf-8"),
        origin=escape(", ".join(log.origin for log in made.logs)),
        period=escape(str(made.period).capitalize()),
        made=minute(made.made_us),
        size=f"{sum(log.size for log in made.logs):,}",
        covered=f"{sum(log.covered for log in made.logs):,}",
        records=f"{counts.records:,}",
        cards="".join(_card(kind, of[kind], counts.calls[kind]) for kind in CALLS)
        + _card("model", "refused by the model", counts.model_refusals)
        + _card("incident", "incidents to report", counts.incidents_in_all),
        legend=plots.legend(),
        over_time=plots.over_time(counts.days) if counts.days else _NONE,
        red_lines=_rules(counts, red_line=True),
        rules=_rules(counts, red_line=False),
        refusals=_refusals(made),
        tenants=_tenants(counts),
        releases=_releases(counts),
        relied_on=_relied_on(counts),
        incidents=_incidents(made),
        answers=_table(("Answers", "Number"), ((_ANSWERS.get(k, k), n) for k, n in counts.answers.most_common())),
        reasons=_table(("Reason", "Number"), counts.reasons.most_common()),
        detectors=_table(
            ("Detector", "Readings", "Unavailable"),
            ((name, seen["readings"], seen["unavailable"]) for name, seen in sorted(counts.detectors.items())),
        ),
        checks=f"{sum(counts.checks.values()):,}",
    )


_NONE: Final = '<p class="quiet">None in this period.</p>'


def _card(kind: str, word: str, count: int) -> str:
    return f'<div class="card {kind}"><b>{count:,}</b>{word}</div>'


def _rules(counts: Counts, *, red_line: bool) -> str:
    found = [(name, fired) for name, fired in counts.rules.items() if (fired.cls == "red_line") == red_line]
    found.sort(key=lambda item: (-item[1].total(), item[0]))
    names = [name if red_line else f"{name} ({fired.cls.replace('_', ' ')})" for name, fired in found]
    rows = [(name, _parts(fired)) for name, (_, fired) in zip(names, found, strict=True)]
    return _plot(rows, "How often a red line refused" if red_line else "How often a rule stood behind a refusal")


def _parts(fired: Fired) -> list[tuple[str, int]]:
    judged = [(DENIED, fired.requests), (APPROVAL, fired.approvals), ("answer", fired.answers)]
    return [*judged, (OTHERWISE, fired.unjudged)]


def _refusals(made: Oversight) -> str:
    counts = made.counts
    return plots.bars(
        [
            ("a rule, before the model was asked", [(DENIED, counts.calls[DENIED])]),
            ("a rule, what the model answered", [("answer", counts.answers["refused_output"])]),
            ("the model itself", [("model", counts.model_refusals)]),
        ],
        "Who refused",
    )


def _tenants(counts: Counts) -> str:
    found = sorted(counts.tenants.items(), key=lambda item: (-sum(item[1].calls.values()), item[0]))
    drawn = _plot([plots.calls(name or "(not proved)", tenant.calls) for name, tenant in found], "Calls by tenant")
    head = (
        "Tenant",
        "Permitted",
        "Needs an approval",
        "Refused",
        "Otherwise",
        "Answers refused",
        "Refused by the model",
    )
    rows = (
        (n or "(not proved)", *(t.calls[kind] for kind in CALLS), t.refused_answers, t.model_refusals) for n, t in found
    )
    return drawn + _table(head, rows)


def _releases(counts: Counts) -> str:
    found = sorted((item for item in counts.releases.items() if item[0]), key=lambda item: item[1].first_us)
    drawn = _plot([plots.calls(f"{name[:12]} v{r.version or '?'}", r.calls) for name, r in found], "Calls by release")
    head = ("Release", "Version", "Signers", "First seen", "Last seen", "Permitted", "Refused")
    rows = (
        (
            n,
            r.version or "",
            ", ".join(r.signers),
            minute(r.first_us),
            minute(r.last_us),
            r.calls[PERMITTED],
            r.calls[DENIED],
        )
        for n, r in found
    )
    return drawn + _table(head, rows)


def _relied_on(counts: Counts) -> str:
    approvals = ((*key, uses) for key, uses in counts.approvals.most_common())
    grants = ((*key, uses) for key, uses in counts.grants.most_common())
    return (
        "<h3>Approvals by a person</h3>"
        + _table(("Tenant", "Approver", "Calls"), approvals)
        + "<h3>Grants of the provider</h3>"
        + _table(("Tenant", "Grant", "Calls"), grants)
    )


def _incidents(made: Oversight) -> str:
    counts = made.counts
    if not counts.incidents:
        return _NONE
    clocks = ["policy", *(clock.name for clock in CLOCKS)]
    body = "".join(_incident(incident, clocks, made.made_us) for incident in counts.incidents[:MOST_ROWS])
    head = "".join(f"<th>{escape(name)}" for name in ("Decision", "Tenant", "What", "Known since", *clocks))
    left = counts.incidents_in_all - min(len(counts.incidents), MOST_ROWS)
    more = f'<p class="quiet">and {left:,} more</p>' if left else ""
    return f'<div class="wide"><table class="clocks"><thead><tr>{head}<tbody>{body}</table></div>{more}'


def _incident(incident: Incident, clocks: Sequence[str], now_us: int) -> str:
    due = dict(incident.due())
    what = f"<td>{escape(incident.tenant)}<td>{escape(incident.text)}<td>{_lines(incident.aware_at_us)}"
    clocked = "".join(_due(due.get(name), now_us) for name in clocks)
    return f'<tr><td class="id">{escape(incident.decision_id)}{what}{clocked}'


def _due(at_us: int | None, now_us: int) -> str:
    if at_us is None:
        return '<td class="quiet">not in force'
    over = ' class="over"' if at_us <= now_us else ""
    return f"<td{over}>{_lines(at_us)}"


def _lines(at_us: int) -> str:
    return minute(at_us).replace(" ", "<br>")


def _plot(rows: Sequence[plots.Bar], label: str) -> str:
    if not rows:
        return _NONE
    left_out = f'<p class="quiet">and {len(rows) - plots.MOST} more</p>' if len(rows) > plots.MOST else ""
    return plots.bars(rows, label) + left_out


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    found = list(rows)
    if not found:
        return _NONE
    left_out = f'<p class="quiet">and {len(found) - MOST_ROWS:,} more</p>' if len(found) > MOST_ROWS else ""
    body = "".join(f"<tr>{''.join(map(_cell, row))}" for row in found[:MOST_ROWS])
    titles = "".join(f"<th>{escape(title)}" for title in head)
    return f'<div class="wide"><table><thead><tr>{titles}<tbody>{body}</table></div>{left_out}'


def _cell(value: object) -> str:
    if isinstance(value, int):
        return f'<td class="number">{value:,}'
    return f'<td class="{"id" if len(str(value)) > 40 else ""}">{escape(str(value))}'
