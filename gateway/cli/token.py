"""`brightline token`: a token of the development issuer. In production, the agency's own issuer gives tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from gateway import config
from gateway.clock import system_us
from gateway.config import read_private, read_public
from gateway.errors import StartError
from gateway.identity import issue

SUBJECT = "developer"
MINUTES = 10

T = TypeVar("T")


def token(
    deployment: Annotated[Path, typer.Option(help="A development deployment, made by `brightline init`.")],
    tenant: Annotated[str, typer.Option(help="The tenant to speak for.")],
    subject: Annotated[str, typer.Option(help="The person or program that asks.")] = SUBJECT,
    minutes: Annotated[int, typer.Option(min=1, max=60, help="How long it is valid.")] = MINUTES,
    role: Annotated[list[str] | None, typer.Option(help="A role, like auditor (repeatable).")] = None,
) -> None:
    """Print an access token for a tenant of a DEVELOPMENT deployment, bound to the tenant's certificate.

    Refuses any other profile. Exits with 0, or 2 when the deployment does not serve.

    Example: `brightline token --deployment dev --tenant northern-logistics > token.txt`
    """
    typer.echo(mint(deployment, tenant, subject, minutes, role or ()))


def connected(
    kind: Callable[..., T],
    deployment: Path,
    tenant: str,
    target: str,
    *,
    subject: str = "",
    roles: Sequence[str] = (),
    **more: Any,
) -> T:
    """A client of a development deployment, as one of its tenants. target: another address; empty for its own.

    kind: the class of client. more: its further arguments. Raises StartError, OSError, ValueError.
    """
    place = tenant_folder(deployment, tenant)
    return kind(
        target or address(deployment),
        ca=deployment / "ca.pem",
        certificate=place / "client.pem",
        key=place / "client.key",
        token=partial(mint, deployment, tenant, subject or SUBJECT, MINUTES, roles),
        **more,
    )


def mint(deployment: Path, tenant: str, subject: str, minutes: int, roles: Sequence[str] = ()) -> str:
    """A token for the tenant's certificate.

    Raises StartError unless this is a development deployment with that tenant.
    """
    path = deployment / "gateway.toml"
    settings = config.load(path)
    if settings.profile != "development":
        raise StartError(
            f'{path}: profile is "{settings.profile}": tokens are made here for the development profile only\n'
            "get one from the agency's token issuer, and give it with --token-file"
        )
    if not settings.identity.issuers:
        raise StartError(f"{path}: identity.issuers: there is no token issuer")
    certificate = read_public(tenant_folder(deployment, tenant) / "client.pem", "--tenant")
    return issue.mint(
        read_private(deployment / "issuer" / "token.key", "--deployment"),
        certificate,
        issuer=settings.identity.issuers[0].issuer,
        audience=settings.identity.audience,
        tenant=tenant,
        subject=subject,
        client_id="brightline-cli",
        now_us=system_us(),
        lifetime_s=minutes * 60,
        roles=roles,
    )


def tenant_folder(deployment: Path, tenant: str) -> Path:
    """The folder of the tenant's certificate and key. Raises StartError that lists the existing tenants."""
    folder = deployment / "tenants"
    tenants = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
    if not tenants:
        raise StartError(f"{deployment}: is no development deployment; make one: brightline init {deployment}")
    if tenant not in tenants:
        raise StartError(f"{deployment}: has no tenant {tenant!r}; it has {', '.join(tenants)}")
    return folder / tenant


def address(deployment: Path) -> str:
    """The host:port of the gateway that runs from this deployment. Raises StartError if none does."""
    try:
        return (deployment / "address").read_text(encoding="utf-8").strip()
    except OSError:
        raise StartError(
            f"{deployment}: no gateway runs from it; start one: brightline serve --config {deployment / 'gateway.toml'}"
        ) from None
