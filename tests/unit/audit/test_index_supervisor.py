"""Who starts the process that keeps the index."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from brightline_verify.database import File
from gateway.audit import index_supervisor
from gateway.audit.index import Held
from tests.support import logs
from tests.support.waiting import until


async def test_an_index_is_kept_once_threads_are_to_be_had_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no thread can be started as it is looked for logs, it is looked for them again, and the end is in order."""
    async with logs.opened(tmp_path) as log:
        await logs.complete(log)
    held = Held(File(tmp_path / "audit.db"), tmp_path / "index")

    def there() -> Sequence[Held]:
        return [held] * index_supervisor.SEVERAL

    def none(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(index_supervisor, "_LOOK_EVERY", 1)
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())
    with capture_logs() as events, monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", none)
        async with index_supervisor.following(there, lambda: 0):
            await until(lambda: bool(events), 30)
            patch.undo()
            await until(held.index.exists, 60)
    assert events[0]["detail"] == "can't start new thread"
