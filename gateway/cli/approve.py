"""`brightline pending` and `approve`: a person approves another person's request, once."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console

from brightline import BrightlineError, Client, Use
from gateway.cli import show
from gateway.cli.option_groups import takes
from gateway.cli.options import connecting, declare, question
from gateway.cli.terminal import line

T = TypeVar("T")
_approver = connecting("approver", "approver")
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@takes(client=_approver)
def pending(*, client: Client, as_json: _Json = False) -> None:
    """List requests that wait for an approval, newest first. Your token needs the approver's role.

    The gateway does not keep their content: the requester has to show it to you.

    Example: `brightline pending --deployment dev --tenant northern-logistics`

    Exits with 0, 2 for bad usage, 3 when not authenticated, 4 when unavailable, without the role, or when anything else
    failed.
    """
    waiting = _done(client, client.pending, as_json=as_json)
    if as_json:
        typer.echo(json.dumps({"pending": [asdict(one) for one in waiting]}))
        return
    console = Console(highlight=False, soft_wrap=True)
    for one in waiting:
        line(console, f"{one.id}  {_time(one.time_us)}  {one.subject} asks {one.model} for {one.purpose}")
        line(console, f"  held back by {', '.join(one.rules)}")
    if not waiting:
        line(console, "nothing waits")


@takes(asked=question, use=declare, client=_approver)
def approve(
    *,
    asked: dict[str, Any],
    use: Use,
    client: Client,
    decision: Annotated[str, typer.Option(help="The decision id of the request that was held back.")],
    why: Annotated[str, typer.Option(help="Why you approve it; kept in the log.")],
    valid_s: Annotated[
        int, typer.Option("--for", help="Seconds that it holds; 0 for as long as it may.", min=0, max=(1 << 31) - 1)
    ] = 0,
    as_json: _Json = False,
) -> None:
    """Approve another person's request, to be sent once and soon. Your token needs the approver's role.

    Give the request as you have read it, with the options of `ask`: the gateway compares it with the one that it held
    back. Nobody can approve their own request. The requester then sends the same request again with the approval's
    identifier.

    Example: `brightline approve "List what a board needs." --decision 01a2…0f --why "Read by the chair."
    --use targeting_support --marking UNCLASSIFIED --autonomy recommend --channel internal --us-person no
    --data-origin agency_records --model loopback --deployment dev --tenant northern-logistics`

    Exits with 0, 1 when that request can't be approved, 2 for bad usage or an invalid request, 3 when not
    authenticated, 4 when unavailable, without the role, or when anything else failed.
    """
    given = _done(client, lambda: client.approve(decision, why=why, valid_s=valid_s, use=use, **asked), as_json=as_json)
    if as_json:
        typer.echo(json.dumps(asdict(given)))
        return
    console = Console(highlight=False, soft_wrap=True)
    line(console, f"APPROVED  for one request, until {_time(given.expires_us)}", "bold green")
    line(console, f"  approval  {given.approval_id}")
    line(console, f"  decision  {given.decision_id}")


def _done(client: Client, work: Callable[[], T], *, as_json: bool) -> T:
    with client:
        try:
            return work()
        except BrightlineError as error:
            show.end(error, as_json=as_json)
        except (ValueError, OSError) as error:  # an argument or the token file
            raise typer.BadParameter(str(error)) from None


def _time(us: int) -> str:
    return f"{datetime.fromtimestamp(us / 1e6, UTC):%Y-%m-%d %H:%M:%SZ}"
