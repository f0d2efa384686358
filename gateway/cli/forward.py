"""`brightline audit forward`: sends the growing log to a collector of security events."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Annotated, Literal

import typer

from brightline_verify.report import UnreadableError
from gateway.audit import disk
from gateway.cli.log_options import MOST, Stored, stored, unusable
from gateway.cli.option_groups import takes
from gateway.errors import StartError
from gateway.siem.cursor import Cursor
from gateway.siem.exporting import FORMATS
from gateway.siem.sender import BrokenError, Collector, Sender


@takes(log=stored)
def forward(
    *,
    log: Stored,
    to: Annotated[str, typer.Option(help="The collector, host:port; 6514 is the usual port.")],
    cursor: Annotated[Path, typer.Option(help="The file that keeps how far the log was sent.")],
    format_: Annotated[Literal["cef", "ocsf"], typer.Option("--format", help="What messages say.")] = "cef",
    tls_ca: Annotated[
        Path | None, typer.Option(help="PEM file of the CA of the collector's certificate; else the system's.")
    ] = None,
    tls_cert: Annotated[
        Path | None, typer.Option(help="PEM file of the client certificate, if it asks for one.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help="PEM file of its private key.")] = None,
    first: Annotated[int, typer.Option(help="Where to begin while there is no cursor.", min=0, max=MOST)] = 0,
    once: Annotated[bool, typer.Option("--once", help="Send what is there and stop.")] = False,
) -> None:
    """Send the log as syslog over TLS (RFC 5424, RFC 5425), in CEF or OCSF, and continue as it grows.

    Each record is sent at least once. Duplicates can be recognised by `deviceExternalId` and `cn1` (CEF) or
    `metadata.uid` (OCSF). Ends on SIGTERM. Exits with 0, with 1 when the collector can't be reached (with --once), 2
    when something can't be read or written, or the log is not the one that was sent before.

    Example: `brightline audit forward --config gateway.toml --to siem.example:6514 --cursor siem.cursor`
    """
    host, _, port = to.rpartition(":")
    if not host or not port.isascii() or not port.isdecimal() or not 0 < int(port) < 65536:
        raise typer.BadParameter("give host:port, for example siem.example:6514", param_hint="--to")
    collector = Collector(host.removeprefix("[").removesuffix("]"), int(port), tls_ca, tls_cert, tls_key)
    try:
        with disk.held(cursor.with_name(cursor.name + ".lock")):
            at = Cursor.load(cursor, log.verifier.name, first)
            sender = Sender(log.source, at, collector, FORMATS[format_], lambda text: typer.echo(text, err=True))
            _send(sender, once=once)
    except BlockingIOError as error:
        raise unusable(f"--cursor: {cursor}: another process uses it") from error
    except BrokenError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
    except (StartError, UnreadableError, OSError) as error:
        raise unusable(str(error)) from error
    typer.echo(f"sent up to record {at.next - 1}")


def _send(sender: Sender, *, once: bool) -> None:
    stop = threading.Event()
    try:
        if once:
            while sender.send():
                pass
            return
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        sender.follow(stop)
    finally:
        sender.close()
