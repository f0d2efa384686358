"""One worker of a gateway: `python -m gateway.worker FD`. gateway.supervisor starts it with one end of a socket pair.

A worker serves calls like a gateway of one process, but the keeper writes the log and says what is in force. It ends
when the keeper is gone, and when it can't put in force what the keeper did.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from dataclasses import replace
from functools import partial

import structlog
import uvloop

from gateway import logs, memory
from gateway.activation import Activation
from gateway.app import opened
from gateway.audit.joint.member import Member
from gateway.clock import Clock
from gateway.compiled_release import CompiledRelease, Same, parse
from gateway.config import Config
from gateway.errors import StartError
from gateway.gate import Gate
from gateway.inforce import InForce
from gateway.listener import listening

log = structlog.get_logger()

TELL_S = 1.0


def main() -> None:
    """Serve until SIGTERM, or until the keeper is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to every process; the keeper handles it
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        uvloop.run(work(socket.socket(fileno=int(sys.argv[1]))))
    except (StartError, OSError) as error:
        log.critical("worker not started", why=str(error))
        raise SystemExit(1) from None


async def work(end: socket.socket) -> None:
    """Serve. Raises StartError, OSError."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    member = await Member.join(end)
    config = Config.model_validate_json(member.said["config"])
    logs.configure(config.log_level)
    clock = Clock(apart_us=member.said["clocks_apart_us"])
    async with opened(config, clock, member) as gate, listening(config, gate) as listener:
        memory.settle()
        activation = Activation(config, gate, partial(from_keeper, member))
        member.serving(gate.in_force.release.digest)
        tasks = [
            asyncio.create_task(listener.until(stop)),
            asyncio.create_task(member.gone.wait()),
            asyncio.create_task(_follow(member, activation)),
        ]
        if config.metrics is not None:
            tasks.append(asyncio.create_task(_tell(member, gate)))
        done, waiting = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        await asyncio.wait(tasks)
    await activation.close()
    for task in done:
        task.result()


async def _tell(member: Member, gate: Gate) -> None:
    """Send the keeper the counters once a second."""
    while True:
        await asyncio.sleep(TELL_S)
        member.counted(gate.counted)


async def from_keeper(member: Member, _: Config, before: InForce) -> CompiledRelease | Same:
    """What the keeper handed over. The keeper has loaded, tested and recorded it, once for all workers."""
    raw = member.take()
    found = await asyncio.to_thread(parse, raw) if raw else None
    if isinstance(found, CompiledRelease) and found.release.digest != before.release.digest:
        return replace(found, raw=b"")  # a worker hands nothing on
    return Same(member.expires_us, before.state)


async def _follow(member: Member, activation: Activation) -> None:
    """Put in force what the keeper did. Returns if that fails."""
    while True:
        await member.wanted.wait()
        member.wanted.clear()
        await activation.refresh()
        if member.wanted.is_set():
            continue  # the keeper put another release in force while this one was prepared
        digest = activation.gate.in_force.release.digest
        if digest != member.in_force[0]:
            log.critical("worker can't follow", why=activation.trouble, in_force=member.in_force[0])
            return
        member.serving(digest)


if __name__ == "__main__":
    main()
