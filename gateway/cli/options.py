"""Groups of options for commands that ask a gateway. Each is a function from its options to one value."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from brightline import (
    Authority,
    Autonomy,
    Channel,
    Client,
    DataOrigin,
    Effector,
    Evidence,
    Involvement,
    Tool,
    Use,
    UsPerson,
    Volume,
)


def question(  # noqa: PLR0917 - one parameter for each option
    prompt: Annotated[str, typer.Argument(help="What to ask; - reads it from standard input.")],
    model: Annotated[str, typer.Option(help="The model; not needed when the tenant has only one.")] = "",
    system: Annotated[str, typer.Option(help="Instructions to the model.")] = "",
    tool: Annotated[
        list[str] | None,
        typer.Option(help="A tool the model may ask for: NAME=EFFECTOR, like map=read_only (repeatable)."),
    ] = None,
    max_tokens: Annotated[int, typer.Option(help="The most tokens to generate.", max=(1 << 31) - 1)] = 1024,
    release: Annotated[
        str, typer.Option(help="The digest of the release that has to decide; another in force is a refusal.")
    ] = "",
) -> dict[str, Any]:
    """The request, as keyword arguments of the client. Raises typer.BadParameter."""
    return {
        "model": model,
        "prompt": sys.stdin.read() if prompt == "-" else prompt,
        "system": system,
        "tools": [_tool(text) for text in tool or ()],
        "max_tokens": max_tokens,
        "release": release,
    }


def _tool(text: str) -> Tool:
    name, _, word = text.partition("=")
    try:
        return Tool(name=name, effector=cast("Effector", word or "unspecified"))
    except ValueError as error:
        raise typer.BadParameter(f"--tool {text}: {error}") from None


_WHERE = "Where to ask"
_use = functools.partial(typer.Option, rich_help_panel="What it is for (declared; the policy decides)")


def connecting(subject: str = "", *roles: str) -> Callable[..., Client]:
    """The options of the connection. subject, roles: of the token that a development deployment issues."""

    def connect(  # noqa: PLR0917 - one parameter for each option
        deployment: Annotated[
            Path | None,
            typer.Option(help="A development deployment, made by `brightline init`.", rich_help_panel=_WHERE),
        ] = None,
        tenant: Annotated[
            str, typer.Option(help="With --deployment: ask as this tenant.", rich_help_panel=_WHERE)
        ] = "",
        target: Annotated[
            str, typer.Option(help="The gateway, host:port. Not needed with --deployment.", rich_help_panel=_WHERE)
        ] = "",
        ca: Annotated[
            Path | None,
            typer.Option(help="PEM file of the CA that signed the gateway's certificate.", rich_help_panel=_WHERE),
        ] = None,
        cert: Annotated[Path | None, typer.Option(help="PEM file of your certificate.", rich_help_panel=_WHERE)] = None,
        key: Annotated[Path | None, typer.Option(help="PEM file of its private key.", rich_help_panel=_WHERE)] = None,
        token_file: Annotated[
            Path | None, typer.Option(help="File with your access token and nothing else.", rich_help_panel=_WHERE)
        ] = None,
        timeout: Annotated[float, typer.Option(help="Seconds for the whole call.", rich_help_panel=_WHERE)] = 60.0,
    ) -> Client:
        """The client. Raises typer.BadParameter for options that don't fit together or files that can't be read."""
        try:
            if deployment is not None:
                if not tenant or ca or cert or key or token_file:
                    raise typer.BadParameter(
                        "--deployment goes with --tenant, and brings --ca, --cert, --key, --token-file"
                    )
                from gateway.cli import token as development  # noqa: PLC0415 - issuing tokens needs slow imports

                return development.connected(
                    Client, deployment, tenant, target, subject=subject, roles=roles, timeout_s=timeout
                )
            if not target or ca is None or cert is None or key is None or token_file is None:
                raise typer.BadParameter(
                    "give --deployment and --tenant, or all of --target --ca --cert --key --token-file"
                )
            token = functools.partial(word, token_file)
            return Client(target, ca=ca, certificate=cert, key=key, token=token, timeout_s=timeout)
        except (OSError, ValueError) as error:
            raise typer.BadParameter(str(error)) from None

    return connect


def word(path: Path) -> str:
    """The token in a file that holds nothing else, read each time. Raises OSError, UnicodeDecodeError."""
    return path.read_text(encoding="utf-8").strip()


connect = connecting()


def declare(  # noqa: PLR0917 - one parameter for each option
    purpose: Annotated[str, _use("--use", help="The purpose, for example logistics_planning.")],
    marking: Annotated[str, _use(help="Banner line of the request, for example UNCLASSIFIED.")],
    autonomy: Annotated[Autonomy, _use(help="How far the system around the model acts by itself.")] = "unspecified",
    authority_kind: Annotated[str, _use(help="The authority it rests on, for example executive_order.")] = "",
    authority_citation: Annotated[str, _use(help='For example "EO 12333 2.3".')] = "",
    authority_id: Annotated[str, _use(help="Number of the order or case.")] = "",
    authority_not_before: Annotated[
        datetime | None,
        _use(help="When it begins, UTC; a day alone is its beginning.", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    ] = None,
    authority_expires: Annotated[
        datetime | None,
        _use(help="When it ends, UTC; a day alone is its beginning.", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    ] = None,
    evidence: Annotated[
        list[str] | None,
        _use(help="A proof and when it ends: KIND=ID@END, like impact_assessment=IA-7@2027-03-01 (repeatable)."),
    ] = None,
    us_person: Annotated[Involvement, _use(help="Whether US persons are concerned.")] = "unspecified",
    us_person_basis: Annotated[str, _use(help="With no: what says that they are no US persons.")] = "",
    us_person_process: Annotated[str, _use(help="Number of the warrant or approval.")] = "",
    geo: Annotated[list[str] | None, _use(help="Where its subject is: US, DE, ... (repeatable).")] = None,
    persons: Annotated[int | None, _use(help="Persons whose data it touches.")] = None,
    records: Annotated[int | None, _use(help="Records that it touches.")] = None,
    data_origin: Annotated[DataOrigin, _use(help="Where the data came from.")] = "unspecified",
    channel: Annotated[Channel, _use(help="Who sees the output.")] = "unspecified",
    approval_id: Annotated[str, _use(help="The approval that covers it.")] = "",
    conversation_id: Annotated[str, _use(help="The conversation it belongs to.")] = "",
    idempotency_key: Annotated[str, _use(help="A second permitted request with this key is not forwarded.")] = "",
) -> Use:
    """The declared use. Raises typer.BadParameter that names the field and what would be accepted."""
    try:
        return Use(
            purpose=purpose,
            marking=marking,
            autonomy=autonomy,
            authority=_authority(
                authority_kind, authority_citation, authority_id, authority_not_before, authority_expires
            ),
            evidence=[*map(_proof, evidence or ())],
            us_person=UsPerson(involved=us_person, basis=us_person_basis, process_id=us_person_process),
            geo=geo or (),
            volume=Volume(persons=persons, records=records),
            data_origin=data_origin,
            channel=channel,
            approval_id=approval_id,
            conversation_id=conversation_id,
            idempotency_key=idempotency_key,
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _authority(
    kind: str, citation: str, name: str, not_before: datetime | None, expires: datetime | None
) -> Authority | None:
    if not (kind or citation or name or not_before or expires):
        return None
    return Authority(
        kind=kind,
        citation=citation,
        id=name,
        not_before_ms=_milliseconds(not_before) if not_before else 0,
        expires_ms=_milliseconds(expires) if expires else 0,
    )


def _proof(text: str) -> Evidence:
    kind, _, rest = text.partition("=")
    name, _, end = rest.rpartition("@")
    try:
        return Evidence(kind=kind, id=name, expires_ms=_milliseconds(datetime.fromisoformat(end)))
    except ValueError:
        raise typer.BadParameter(
            f"--evidence {text}: give KIND=ID@END, like impact_assessment=IA-7@2027-03-01; without an end no rule "
            "accepts it"
        ) from None


def _milliseconds(end: datetime) -> int:
    """Milliseconds since 1970. A time without an offset is UTC."""
    return int((end if end.tzinfo else end.replace(tzinfo=UTC)).timestamp()) * 1000
