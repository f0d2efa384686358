"""Loads a release in a process beside a serving gateway: `python -m gateway.loader`, started by gateway.loader_client.

1 get the configuration and the known release from the gateway    2 load, verify and type the release
3 compile its policy, and run the self-test                       4 hand over what the gateway needs, and end
The process delays no call: it has a lower priority, its memory is freed when it ends, and it ends with its gateway.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from gateway import compiled_release, pdp, release
from gateway.config import Config
from gateway.errors import StartError
from gateway.preparing import ask, prepare
from gateway.types import Release


def main() -> None:
    """Read an order of one line; write one answer."""
    os.nice(10)  # calls come first, but even a busy machine gets its release eventually
    for number in (signal.SIGINT, signal.SIGHUP):  # a terminal sends these to every process
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(OSError):  # if memory runs out, the kernel should kill this process and not the gateway
        Path("/proc/self/oom_score_adj").write_text("1000")
    answers = os.dup(1)
    os.dup2(2, 1)  # keeps a library's output out of the answer
    logging.disable()  # keeps libraries' messages, which may quote anything, out of the gateway's log
    gc.disable()  # collections would walk over everything repeatedly, and the process ends soon
    order = json.loads(sys.stdin.buffer.readline())  # 1
    threading.Thread(target=_end_with_the_gateway, daemon=True).start()
    answer = memoryview(answered(order))
    while answer:  # 4
        answer = answer[os.write(answers, answer) :]
    os._exit(0)  # skips freeing a million objects one by one


def answered(order: dict[str, Any]) -> bytes:
    """The answer to an order. Raises nothing: every failure is an answer."""
    try:
        config = Config.model_validate_json(order["config"])
        found = release.open_source(config.release).find(tuple(order["state"]))  # 2
        if found.release is None or found.release.digest == order["digest"]:
            return compiled_release.unchanged(found.expires_us, found.state)
        return asyncio.run(_ready(config, found.release, found.state))
    except StartError as error:
        return compiled_release.refusal(compiled_release.Refused(str(error)))
    except Exception as error:  # noqa: BLE001 - its text may quote anything, so only its place is reported
        return compiled_release.refusal(compiled_release.Refused("", _place(error)))


async def _ready(config: Config, loaded: Release, state: release.State) -> bytes:
    """Step 3. Only a compiled policy is tested here; the gateway tests an OPA server, to which it has a connection."""
    code = pdp.compiled(loaded, config.policy)
    if code:
        await ask(await prepare(config, loaded, code))
    return compiled_release.whole(loaded, code, state)


def _place(error: BaseException) -> str:
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f"{Path(place.tb_frame.f_code.co_filename).name}:{place.tb_lineno}" if place else "nowhere"
    return f"{type(error).__name__} at {where}"


def _end_with_the_gateway() -> None:
    while sys.stdin.buffer.read(1):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
