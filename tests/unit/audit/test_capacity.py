from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.audit import log as log_
from gateway.audit.capacity import Gauge, used_percent
from gateway.config import Audit
from tests.support import logs
from tests.support.postgres import Cluster
from tests.support.waiting import until

MIB = 1 << 20


@pytest.fixture
def settings(tmp_path: Path) -> Audit:
    """A log that may take ten MiB."""
    made = logs.settings(tmp_path, capacity_mib=10, warn_at_percent=(50, 80))
    made.path.touch()
    return made


def looks(gauge: Gauge) -> list[dict[str, Any]]:
    """What it says to the operator when it looks once, without the level."""
    with capture_logs() as told:
        gauge.look()
    return [{key: value for key, value in line.items() if key != "log_level"} for line in told]


def takes(settings: Audit, percent: int) -> None:
    """The log's file takes that much of what it may."""
    with settings.path.open("r+b") as file:
        file.truncate(percent * 10 * MIB // 100)


def warning(used: int, threshold: int) -> dict[str, Any]:
    """The warning that a threshold is reached."""
    return {"event": "audit capacity", "used_percent": used, "threshold_percent": threshold}


def test_each_threshold_is_warned_of_once(settings: Audit) -> None:
    """Below the first nothing is said; at each one warning; at two at once the higher one."""
    gauge = Gauge(settings)
    said = []
    for percent in (49, 50, 70, 80, 100):
        takes(settings, percent)
        said.append(looks(gauge))
    assert said == [[], [warning(50, 50)], [], [warning(80, 80)], []]
    assert looks(Gauge(settings)) == [warning(100, 80)]


def test_a_threshold_is_warned_of_again_after_it_was_below(settings: Audit) -> None:
    """Space that was made and is used up again is a new warning."""
    gauge = Gauge(settings)
    for percent, said in ((60, [warning(60, 50)]), (10, []), (55, [warning(55, 50)])):
        takes(settings, percent)
        assert looks(gauge) == said


def test_what_cannot_be_measured_is_said_once(settings: Audit) -> None:
    """A place that can't be asked is told, and what was reached meanwhile is warned of when it can."""
    gauge = Gauge(settings)
    settings.path.rename(settings.path.with_suffix(".away"))
    (unknown,) = looks(gauge)
    assert unknown["event"] == "audit capacity unknown"
    assert settings.path.name in unknown["detail"]
    assert looks(gauge) == []
    settings.path.with_suffix(".away").rename(settings.path)
    takes(settings, 90)
    assert looks(gauge) == [warning(90, 80)]


def test_without_a_capacity_the_disk_is_the_measure(tmp_path: Path) -> None:
    """A log in a file is measured by its disk; one in a database, whose disk nobody sees from here, is not."""
    used = used_percent(logs.settings(tmp_path))
    assert used is not None
    assert 0 <= used <= 100
    assert used_percent(logs.settings(tmp_path, store="postgresql", dsn="host=/nowhere dbname=audit user=g")) is None


def test_a_database_is_measured_by_its_own_size(postgres: Cluster, tmp_path: Path) -> None:
    """Everything in the database counts; one that is away is told without an end of the gateway."""
    there = {"store": "postgresql", "dsn": postgres.server(postgres.database()).dsn, "warn_at_percent": (1, 90)}
    small = logs.settings(tmp_path, capacity_mib=5, **there)
    used = used_percent(small)
    assert used is not None
    assert used > 50
    assert [line["event"] for line in looks(Gauge(small))] == ["audit capacity"]
    assert used_percent(logs.settings(tmp_path, capacity_mib=5000, **there)) == 0
    away = logs.settings(tmp_path, capacity_mib=5, **{**there, "dsn": "host=/nowhere dbname=audit user=g"})
    assert [line["event"] for line in looks(Gauge(away))] == ["audit capacity unknown"]


async def test_it_is_looked_again_once_threads_are_to_be_had(settings: Audit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no thread can be started for a look, the next look is made all the same."""
    tried: list[threading.Thread] = []

    def none(thread: threading.Thread) -> None:
        tried.append(thread)
        raise RuntimeError("can't start new thread")

    gauge = Gauge(settings)
    monkeypatch.setattr(log_, "EVERY_S", 0.01)
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", none)
        looking = asyncio.create_task(log_._look(gauge))
        await until(lambda: bool(tried), 30)
    await until(lambda: gauge.used_percent is not None, 30)
    looking.cancel()
