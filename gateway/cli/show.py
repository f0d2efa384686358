"""Shows the client's results and exceptions to a person, to a program, and as an exit code.

The outcome comes first. Text from a model or a server is never passed to the terminal as it is (`terminal.py`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import NoReturn, TypeAlias

import typer
from rich.console import Console
from rich.text import Text

import brightline
from brightline import Answer, BrightlineError, Check, Effect, Model, Obligation, Rule, Started, ToolUse
from gateway.canonical import Json
from gateway.cli.terminal import line, safe

Result: TypeAlias = Answer | Check | tuple[Model, ...] | BrightlineError

_FAILURES: Mapping[type[BrightlineError], tuple[str, int]] = {
    brightline.Refused: ("refused", 1),
    brightline.ApprovalRequired: ("approval_required", 1),
    brightline.ApprovalInvalid: ("approval_invalid", 1),
    brightline.InvalidRequest: ("invalid_request", 2),
    brightline.DuplicateRequest: ("duplicate_request", 2),
    brightline.Unauthenticated: ("unauthenticated", 3),
    brightline.RoleRequired: ("role_required", 4),
    brightline.NotFound: ("not_found", 4),
    brightline.ReleaseNotInForce: ("release_not_in_force", 1),
    brightline.Overloaded: ("overloaded", 4),
    brightline.QuotaExhausted: ("quota_exhausted", 4),
    brightline.Unavailable: ("unavailable", 4),
    brightline.DeadlineExceeded: ("deadline_exceeded", 4),
    brightline.Cancelled: ("cancelled", 4),
    brightline.GatewayFault: ("gateway_fault", 4),
    brightline.ConnectionFailed: ("connection_failed", 4),
    brightline.IncompleteStream: ("incomplete_stream", 4),
    brightline.NotThisGateway: ("not_this_gateway", 4),
    brightline.BrightlineError: ("failed", 4),
}
_EFFECTS = {
    Effect.ALLOW: ("permitted", 0),
    Effect.REQUIRE_APPROVAL: ("approval_required", 1),
    Effect.DENY: ("refused", 1),
}
_SAID = ("reason", "message", "field", "decision_id", "release", "rules_omitted", "appeal", "retry_safe", "again_s")
_STYLES = {0: "bold green", 1: "bold red"}


def outcome(result: Result) -> tuple[str, int]:
    """The outcome in one word, and the exit code."""
    match result:
        case BrightlineError():
            return next(_FAILURES[kind] for kind in type(result).__mro__ if kind in _FAILURES)
        case Check():
            return _EFFECTS[result.effect]
        case Answer():
            return "answered", 0
        case _:
            return "listed", 0


def result(console: Console, result: Result) -> None:
    """Print any result or failure."""
    match result:
        case BrightlineError():
            failure(console, result)
        case Check():
            check(console, result)
        case Answer():
            answer(console, result)
        case _:
            models(console, result)


def end(shown: Result, *, as_json: bool, printed: bool = False) -> NoReturn:
    """Print any result or failure, for a program or a person, and exit.

    printed: whether a person has seen the result already, as it arrived.
    """
    if as_json:
        typer.echo(json.dumps(told(shown)))
    elif not printed:
        result(Console(highlight=False), shown)
    raise typer.Exit(outcome(shown)[1])


def answer(console: Console, value: Answer) -> None:
    """Print a whole answer."""
    event(console, Started(value.decision_id, value.release, value.obligations))
    for part in value.parts:
        event(console, part)
    ended(console, value)


def event(console: Console, value: Started | brightline.Text | ToolUse) -> None:
    """Print an event of a stream as it arrives. `ended` prints the last one."""
    match value:
        case Started():
            _headline(console, "permitted", 0, f"decision {value.decision_id}")
            _obligations(console, value.obligations)
            console.print()
        case ToolUse():
            console.print()
            line(console, f"[tool call] {value.name} {json.dumps(dict(value.input))}")
        case brightline.Text(text):
            console.print(Text(safe(text)), end="", soft_wrap=True)


def ended(console: Console, value: Answer) -> None:
    """Print how an answer ended."""
    usage = f"{value.usage.input_tokens} tokens read, {value.usage.output_tokens} written"
    console.print("\n")
    line(console, f"{value.stop_reason}, {usage}", "dim")


def check(console: Console, value: Check) -> None:
    """Print the decision that would be made."""
    _headline(console, *_EFFECTS[value.effect], "if it were asked now")
    _rules(console, value.rules)
    _obligations(console, value.obligations)
    _facts(console, {"decision": value.decision_id, "release": value.release})


def models(console: Console, values: Sequence[Model]) -> None:
    """Print the models that a tenant may use."""
    if not values:
        line(console, "no model is open to this tenant")
    for value in values:
        line(console, value.id, "bold")
        line(console, f"  {value.description}")
        line(console, f"  up to {value.marking_ceiling}")


def failure(console: Console, error: BrightlineError) -> None:
    """Print why a call was refused or failed, and what can be done. The only place that prints a refusal."""
    _headline(console, *outcome(error), error.message)
    _rules(console, error.rules)
    if error.rules_omitted:
        line(console, f"  and {error.rules_omitted} more rules; the record names them all")
    facts = {"reason": error.reason, "field": error.field, "decision": error.decision_id, "release": error.release}
    _facts(console, {**facts, "appeal": error.appeal})


def told(result: Result) -> Mapping[str, Json]:
    """One JSON object for programs; `outcome` says which kind it is."""
    word: dict[str, Json] = {"outcome": outcome(result)[0]}
    match result:
        case BrightlineError():
            said = {f: getattr(result, f) for f in _SAID}
            return {**word, **said, "rules": _rules_json(result.rules)}
        case Check():
            return {**word, **asdict(result), "rules": _rules_json(result.rules)}
        case Answer():
            return {**word, **asdict(result), "text": result.text}
        case _:
            return {**word, "models": [asdict(model) for model in result]}


def _headline(console: Console, word: str, code: int, text: str) -> None:
    headline = Text(word.replace("_", " ").upper(), style=_STYLES.get(code, "bold yellow"))
    console.print(headline.append(f"  {safe(text)}", style="default"), soft_wrap=True)


def _rules(console: Console, rules: Sequence[Rule]) -> None:
    for rule in rules:
        line(console, f"  {rule.id} ({rule.cls}, {rule.effect})", "bold")
        line(console, f"    {rule.title}")
        for source in rule.sources:
            line(console, f"    rests on  {source.title} ({source.read.replace('_', ' ')})")
        line(console, f"    remedy    {rule.remedy}")


def _obligations(console: Console, obligations: Sequence[Obligation]) -> None:
    for obligation in obligations:
        line(console, f"  added by the policy: {obligation.kind} {obligation.value}".rstrip())


def _facts(console: Console, facts: Mapping[str, str]) -> None:
    for name, value in facts.items():
        if value:
            line(console, f"  {name:<9} {value}")


def _rules_json(rules: Sequence[Rule]) -> list[Json]:
    names = {"cls": "class"}
    return [{names.get(name, name): value for name, value in asdict(rule).items()} for rule in rules]
