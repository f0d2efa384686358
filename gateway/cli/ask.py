"""`brightline ask`, `check` and `models`: what an agency's application does, from a terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.console import Console

from brightline import Answer, BrightlineError, Client, Use
from gateway.cli import show
from gateway.cli.option_groups import takes
from gateway.cli.options import connect, declare, question

_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@takes(asked=question, use=declare, client=connect)
def ask(
    *,
    asked: dict[str, Any],
    use: Use,
    client: Client,
    stream: Annotated[bool, typer.Option("--stream", help="Print the answer as it is judged.")] = False,
    as_json: _Json = False,
) -> None:
    """Ask a model, for a declared use.

    Prints the answer, or why it was refused: the rules, their sources, what you can do, and the decision id.

    Example: `brightline ask "Plan a convoy of three trucks." --use logistics_planning --marking UNCLASSIFIED
    --autonomy none --us-person no --data-origin agency_records --deployment dev --tenant northern-logistics`

    Exits with 0 when answered, 1 when refused or an approval is required, 2 for bad usage or an invalid request, 3 when
    not authenticated, 4 when unavailable or anything else failed.
    """

    def answer() -> Answer:
        asked["model"] = asked["model"] or _only_model(client)
        if stream and not as_json:
            return _streamed(client, use, asked)
        return client.generate(use=use, **asked)

    _finish(client, answer, as_json=as_json, printed=stream)


@takes(asked=question, use=declare, client=connect)
def check(*, asked: dict[str, Any], use: Use, client: Client, as_json: _Json = False) -> None:
    """Ask what the policy would decide, without asking a model. The same options as `ask`.

    Example: `brightline check "Select and engage targets." --use targeting_support --marking UNCLASSIFIED
    --autonomy autonomous --tool fire_control=weapon --deployment dev --tenant northern-logistics`

    Exits with 0 when it would be permitted, 1 when refused or an approval is required, 2 for bad usage or an invalid
    request, 3 when not authenticated, 4 when unavailable or anything else failed.
    """

    def decided() -> show.Result:
        asked["model"] = asked["model"] or _only_model(client)
        return client.check(use=use, **asked)

    _finish(client, decided, as_json=as_json)


@takes(client=connect)
def models(*, client: Client, as_json: _Json = False) -> None:
    """List the models that a tenant may use.

    Example: `brightline models --deployment dev --tenant northern-logistics`

    Exits with 0, 2 for bad usage, 3 when not authenticated, 4 when unavailable or anything else failed.
    """
    _finish(client, client.models, as_json=as_json)


def _only_model(client: Client) -> str:
    names = [model.id for model in client.models()]
    if len(names) != 1:
        raise ValueError(f"--model: choose one of {', '.join(names)}" if names else "--model: the tenant has no model")
    return names[0]


def _streamed(client: Client, use: Use, asked: dict[str, Any]) -> Answer:
    console = Console(highlight=False)
    with client.stream(use=use, **asked) as events:
        event = next(events)
        try:
            while not isinstance(event, Answer):  # the last one
                show.event(console, event)
                event = next(events)
        except BrightlineError:
            console.print("\n")  # starts the refusal on a new line
            raise
    show.ended(console, event)
    return event


def _finish(client: Client, work: Callable[[], show.Result], *, as_json: bool, printed: bool = False) -> None:
    """Do the work, print its outcome, exit. printed: whether a success was printed as it arrived."""
    result: show.Result
    with client:
        try:
            result = work()
        except BrightlineError as error:
            result = error
            printed = False
        except (ValueError, OSError) as error:  # an argument or the token file
            raise typer.BadParameter(str(error)) from None
    show.end(result, as_json=as_json, printed=printed)
