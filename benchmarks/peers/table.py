"""The figures as Markdown: first where this gateway is slower, then the tables, then each target with its figure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from benchmarks.peers.generators import Result
from benchmarks.peers.measure import MANY, Measured

OURS, DIRECT, LITELLM, PORTKEY, BARE = "Brightline", "direct call", "LiteLLM", "Portkey", "opa-envoy, one rule"
WINDOW_MS = 75.0
"""From the first piece of a stream until the upstream has sent the first window of text, 128 characters."""

Rate = Callable[[Measured], Result | None]


@dataclass(frozen=True, slots=True)
class Target:
    """One target. value: as printed. met: None if it was not measured."""

    name: str
    target: str
    value: str
    met: bool | None


def document(measured: Sequence[Measured], machine: str) -> str:
    """The whole document."""
    parts = [f"{machine}. One system at a time, with the upstream and the generator."]
    slower = behind(measured)
    parts.append("**Where this gateway is behind:**" if slower else "This gateway is behind in nothing measured here.")
    if slower:
        parts.append("\n".join(f"- {line}" for line in slower))
    parts.append(alone(measured))
    parts.append(many(measured))
    parts.append(streamed(measured))
    rows = [(t.name, t.target, t.value, word(t.met)) for t in targets(measured)]
    parts.append(table(("figure", "target", "measured", ""), rows))
    parts.append("The systems:\n\n" + table(("system", "version", "settings", "refusal"), settings(measured)))
    parts.append("What each system lacks that this gateway has on every call:")
    parts.append("\n".join(f"- {m.system.name}: {m.system.lacks}" for m in measured if m.system.lacks))
    missing = [f"- {m.system.name}: {reason}" for m in measured for reason in m.reasons]
    if missing:
        parts.append("Not measured:\n\n" + "\n".join(missing))
    return "\n\n".join(parts) + "\n"


def alone(measured: Sequence[Measured]) -> str:
    """One client: latencies, the overhead over the direct call, and the multiple of the generator's floor."""
    direct, rows = named(measured, DIRECT), []
    for m in measured:
        floor = named(measured, m.system.floor)
        for kind, result in (("permitted", m.permitted), ("refused", m.refused)):
            if result:
                base = direct.permitted if direct and m.system.name != DIRECT else None
                p50 = f"{result.p50_ms - base.p50_ms:+.2f} ms" if base else ""
                p99 = f"{result.p99_ms - base.p99_ms:+.2f} ms" if base else ""
                over = f"{result.p50_ms / floor.permitted.p50_ms:.1f}" if floor and floor.permitted else ""
                figures = (f"{result.p50_ms:.2f} ms", f"{result.p99_ms:.2f} ms", p50, p99, over)
                rows.append((m.system.name, kind, *figures))
    head = ("one client", "", "p50", "p99", "added p50", "added p99", "p50 relative to its floor")
    return table(head, rows)


def many(measured: Sequence[Measured]) -> str:
    """Throughput, compared with the generator's floor and with this gateway."""
    rows, ours = [], named(measured, OURS)
    for m in measured:
        floor = named(measured, m.system.floor)
        for kind, rate in RATES.items():
            result, mine = rate(m), rate(ours) if ours else None
            if result:
                share = (
                    f"{100 * result.rate / floor.permitted_many.rate:.0f} %" if floor and floor.permitted_many else ""
                )
                times = f"{mine.rate / result.rate:.2f}" if mine and m.system.floor and m is not ours else ""
                rows.append((m.system.name, kind, f"{result.rate:,.0f}/s", f"{result.p99_ms:.1f} ms", share, times))
    head = (f"{MANY} in flight", "", "calls", "p99", "share of its floor", "this gateway's rate relative to it")
    return table(head, rows)


def streamed(measured: Sequence[Measured]) -> str:
    """Times of streams."""
    direct, rows = named(measured, DIRECT), []
    for m in measured:
        if m.streams:
            first, base = m.streams.first_p50_ms, direct.streams if direct else None
            times = f"{first / base.first_p50_ms:.1f}" if base else ""
            figures = (f"{first:.2f} ms", f"{m.streams.first_p99_ms:.2f} ms", f"{m.streams.whole_p50_ms:.1f} ms", times)
            rows.append((m.system.name, *figures))
    head = ("streams, one client", "first text p50", "first text p99", "whole p50", "first text, times the direct call")
    return table(head, rows)


RATES: dict[str, Rate] = {"permitted": lambda m: m.permitted_many, "refused": lambda m: m.refused_many}


def targets(measured: Sequence[Measured]) -> list[Target]:
    """Each target with its measured value."""
    ours, direct = named(measured, OURS), named(measured, DIRECT)
    one, many_, no = (ours.permitted, ours.permitted_many, ours.refused_many) if ours else (None, None, None)
    base = direct.permitted if direct else None
    p50, p99 = (one.p50_ms - base.p50_ms, one.p99_ms - base.p99_ms) if one and base else (None, None)
    rate, refusals = many_ and many_.rate, no and no.rate
    rows = [
        limit("added to the direct call, p50", p50, 1.0, " ms"),
        limit("added to the direct call, p99", p99, 5.0, " ms"),
        least("permitted", rate, 1500.0, "/s"),
        least("permitted, times LiteLLM", divided(rate, peer(measured, LITELLM, "permitted")), 20.0, ""),
        least("permitted, times Portkey", divided(rate, peer(measured, PORTKEY, "permitted")), 1.0, ""),
        least("refused", refusals, 3000.0, "/s"),
        least("refused, times opa-envoy's bare decisions", divided(refusals, peer(measured, BARE, "refused")), 1.0, ""),
    ]
    if ours and ours.streams and direct and direct.streams:
        allowed = 1.3 * (direct.streams.first_p50_ms + WINDOW_MS)
        rows.append(limit("first text of a stream", ours.streams.first_p50_ms, allowed, " ms"))
    return rows


def behind(measured: Sequence[Measured]) -> list[str]:
    """Sentences about where a peer is faster than this gateway, and about missed targets."""
    found, ours = [], named(measured, OURS)
    for m in measured:
        if ours and m is not ours and m.system.lacks:
            for kind, rate in RATES.items():
                mine, theirs = rate(ours), rate(m)
                if mine and theirs and theirs.rate > mine.rate:
                    found.append(
                        f"{m.system.name} does {theirs.rate:,.0f} {kind} calls a second, {theirs.rate / mine.rate:.1f} "
                        f"times our {mine.rate:,.0f}."
                    )
            pairs = (("permitted", ours.permitted, m.permitted), ("refused", ours.refused, m.refused))
            for kind, mine, theirs in pairs:
                if mine and theirs and theirs.p50_ms < mine.p50_ms:
                    found.append(
                        f"A {kind} call of one client takes {theirs.p50_ms:.2f} ms with {m.system.name}, "
                        f"{mine.p50_ms:.2f} ms with this gateway."
                    )
            if ours.streams and m.streams and m.streams.first_p50_ms < ours.streams.first_p50_ms:
                found.append(
                    f"The first text of a stream comes after {m.streams.first_p50_ms:.1f} ms with {m.system.name}, "
                    f"after {ours.streams.first_p50_ms:.1f} ms with this gateway, which judges text first."
                )
    found += [f"Missed: {t.name}: {t.value} (target {t.target})." for t in targets(measured) if t.met is False]
    return found


def settings(measured: Sequence[Measured]) -> Iterable[tuple[str, ...]]:
    """The settings of each system."""
    return [(m.system.name, m.system.version, m.system.settings, m.system.refusal) for m in measured]


def named(measured: Sequence[Measured], name: str) -> Measured | None:
    """The system of that name, or None."""
    return next((m for m in measured if m.system.name == name), None)


def peer(measured: Sequence[Measured], name: str, kind: str) -> float | None:
    """The throughput of a peer."""
    found = named(measured, name)
    result = RATES[kind](found) if found else None
    return result.rate if result else None


def divided(value: float | None, base: float | None) -> float | None:
    """The ratio of two figures."""
    return value / base if value is not None and base else None


def limit(name: str, value: float | None, most: float, unit: str) -> Target:
    """A target that a figure must not exceed."""
    return Target(name, f"≤ {most:.1f}{unit}", shown(value, unit), None if value is None else value <= most)


def least(name: str, value: float | None, wanted: float, unit: str) -> Target:
    """A target that a figure has to reach."""
    return Target(name, f"≥ {wanted:,.0f}{unit}", shown(value, unit), None if value is None else value >= wanted)


def shown(value: float | None, unit: str) -> str:
    """A figure with its unit."""
    return "not measured" if value is None else f"{value:,.0f}{unit}" if value >= 100 else f"{value:.2f}{unit}"


def word(met: bool | None) -> str:
    """The result of a target as a word."""
    return "" if met is None else "reached" if met else "missed"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
