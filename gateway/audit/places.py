"""Which database a log is in, and where its checkpoint is kept a second time, by the configuration."""

from __future__ import annotations

from brightline_verify.database import File
from brightline_verify.stored import Source
from gateway.audit.lock_store import Folder
from gateway.audit.sqlite import Sqlite
from gateway.audit.store import Kept
from gateway.config import Audit


def source(settings: Audit) -> Source:
    """The log, to be read by others than its gateway."""
    return File(settings.path)


def kept(settings: Audit) -> Kept:
    """The log, to be written by its gateway."""
    return Sqlite(settings.path)


def lock_store(settings: Audit) -> Folder | None:
    """Where the latest checkpoint goes too."""
    return Folder(settings.lock_store, settings.origin) if settings.lock_store else None
