"""Measures how full the log's storage is. Warns once per threshold, and again after the use fell below it."""

from __future__ import annotations

import shutil
from contextlib import closing
from typing import Final

import structlog

from gateway.audit import places
from gateway.config import Audit
from gateway.errors import StartError

EVERY_S: Final = 60.0
_MIB: Final = 1 << 20

log = structlog.get_logger()


def used_percent(settings: Audit) -> int | None:
    """The percentage used: of `capacity_mib`, otherwise of the log's disk. None for a database without `capacity_mib`.

    Raises OSError, StartError.
    """
    if settings.dsn is None and settings.capacity_mib is None:
        disk = shutil.disk_usage(settings.path.parent)
        return 100 - 100 * disk.free // max(disk.used + disk.free, 1)
    if settings.capacity_mib is None:
        return None
    return 100 * _size(settings) // (settings.capacity_mib * _MIB)


def _size(settings: Audit) -> int:
    """The bytes that the log takes, with everything else in its database."""
    if settings.dsn is None:
        return settings.path.stat().st_size
    from gateway.audit.postgres.connection import told  # noqa: PLC0415 - imported only if configured

    with closing(places.server(settings, settings.deadline_ms / 1000).connect()) as db, told():
        row = db.execute("SELECT pg_database_size(current_database())").fetchone()
        return int(row[0]) if row else 0


class Gauge:
    """Measures and warns. Made once per log, used at intervals. used_percent: the last result; None if unknown."""

    def __init__(self, settings: Audit) -> None:
        self._settings = settings
        self._above = 0
        self.used_percent: int | None = None

    def look(self) -> None:
        """Warn if another threshold is reached. A failure to measure is also logged once."""
        try:
            self.used_percent = used = used_percent(self._settings)
        except (OSError, StartError) as error:
            if self._above >= 0:
                log.warning("audit capacity unknown", detail=str(error))
            self._above, self.used_percent = -1, None
            return
        above = max((t for t in self._settings.warn_at_percent if used is not None and used >= t), default=0)
        if above > max(self._above, 0):
            log.critical("audit capacity", used_percent=used, threshold_percent=above)
        self._above = above
