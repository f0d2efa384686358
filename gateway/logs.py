"""The operator's log: JSON lines on standard error, one clock, no content.

Nothing that a caller wrote (prompts, tokens, answers) is logged. Values are bounded, and JSON escapes control
characters, so that no value can forge a second line or control a terminal.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO, cast

import structlog

SECRET_KEYS = frozenset({"authorization", "token", "api_key", "key", "prompt", "text", "content", "password"})
LONGEST = 500


def configure(level: str) -> None:
    """Send the gateway's and the libraries' logs to standard error as JSON. level: debug, info, warning or error."""
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _exception_type,
            redact,
            structlog.processors.JSONRenderer(ensure_ascii=True),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", _StandardError())),
        cache_logger_on_first_use=True,
    )
    # Libraries put requests and headers into their messages. Only the fact of a message is logged, never its text.
    logging.basicConfig(handlers=[_Libraries()], level=max(number, logging.WARNING), force=True)


def redact(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace values whose key names a secret, and cut long text."""
    for key, value in event.items():
        if key in SECRET_KEYS:
            event[key] = "[redacted]"
        elif isinstance(value, str) and len(value) > LONGEST:
            event[key] = value[:LONGEST] + "[cut]"
    return event


def _exception_type(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace an exception by its type and place. Its text may quote what a caller wrote."""
    error = event.pop("exc_info", None)
    if isinstance(error, BaseException):
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        event["exception"] = type(error).__name__
        if place is not None:
            event["at"] = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}"
    return event


class _StandardError:
    """Drops a line that can't be written, because a disk is full or a reader is gone, without failing."""

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            sys.stderr.flush()


class _Libraries(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger().log(record.levelno, "library", logger=record.name, at=f"{record.module}:{record.lineno}")
