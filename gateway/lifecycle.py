"""Runs one gateway until a signal says to stop; other signals put a release in force, or replace workers."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path

import structlog

from gateway import memory
from gateway.activation import Activation
from gateway.app import opened
from gateway.clock import Clock
from gateway.config import Config
from gateway.errors import StartError
from gateway.gate import Gate
from gateway.listener import Listener, listening
from gateway.supervisor import Supervisor, supervised

log = structlog.get_logger()


async def run(
    config: Config,
    address_file: Path | None,
    state_file: Path | None = None,
    reread: Callable[[], Config] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then drain; SIGHUP puts in force what is in the release folder now; SIGUSR1
    replaces workers, with what `reread` finds.

    address_file: where host:port is written once calls are served; state_file: where it is said what is in force.
    """
    stop, reload, renew = asyncio.Event(), asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    signals = {signal.SIGTERM: stop, signal.SIGINT: stop, signal.SIGHUP: reload, signal.SIGUSR1: renew}
    for number, event in signals.items():
        loop.add_signal_handler(number, event.set)
    async with opened(config, Clock()) as gate, _serving(config, gate) as port, _measured(config, gate, port):
        address = f"{config.listener.address.rpartition(':')[0]}:{port.port}"
        log.info("serving", address=address, release=gate.in_force.release.digest, engine=gate.in_force.engine.name)
        memory.settle()
        activation = Activation(config, gate)
        _tell(state_file, activation)

        async def told(activation: Activation) -> None:
            trouble = await port.followed() if isinstance(port, Supervisor) else ""
            try:
                _tell(state_file, activation, trouble)
            except OSError as error:  # a full disk, perhaps: the next release is looked for all the same
                log.error("state not told", why=f"{state_file}: {error.strerror}")  # noqa: TRY400 - it says all

        reloading = asyncio.create_task(activation.whenever(reload, told))
        renewing = asyncio.create_task(_renew(renew, port, activation, reread))
        if address_file is not None:
            _publish(address_file, address)
        await port.until(stop)
        log.info("draining", milliseconds=config.limits.drain_ms)
        reloading.cancel()
        renewing.cancel()
        await asyncio.wait({reloading, renewing})
    await activation.close()
    log.info("stopped")


def _serving(config: Config, gate: Gate) -> AbstractAsyncContextManager[Listener | Supervisor]:
    return supervised(config, gate) if config.listener.workers > 1 else listening(config, gate)


def _measured(config: Config, gate: Gate, port: Listener | Supervisor) -> AbstractAsyncContextManager[object]:
    if config.metrics is None:
        return nullcontext()
    from gateway import metrics  # noqa: PLC0415 - loaded where it is asked for

    source = (
        port.counted if isinstance(port, Supervisor) else lambda: (gate.counted, 1, 0, config.limits.concurrent_calls)
    )
    return metrics.served(config.metrics, gate, source)


async def _renew(
    wanted: asyncio.Event, port: Listener | Supervisor, activation: Activation, reread: Callable[[], Config] | None
) -> None:
    """Replace the workers each time that it is wanted, until cancelled. What is wanted meanwhile is wanted once."""
    while True:
        await wanted.wait()
        wanted.clear()
        if not isinstance(port, Supervisor):
            log.error("workers not replaced", why="listener.workers: this process serves alone; start it again instead")
            continue
        try:
            # In a thread: a folder that another host has to answer for keeps nobody's record waiting.
            read = await asyncio.to_thread(reread) if reread else activation.config
            fresh = activation.config.renewed(read)
            log.info("replacing workers")
            why = await port.replace(fresh)
        except StartError as error:
            log.error("workers not replaced", why=str(error))  # noqa: TRY400 - the text says all there is
        except Exception as error:  # whatever it is, workers that serve stay, and can be replaced later
            log.exception("workers not replaced", why=f"the gateway failed: {type(error).__name__}", exc_info=error)
        else:
            if why:
                log.error("workers not replaced", why=why)
            else:
                activation.config = fresh
                log.info("workers replaced")


def _tell(path: Path | None, activation: Activation, trouble: str = "") -> None:
    """Say what is in force, for a tool that asked for another release. trouble: why workers do not follow."""
    if path is not None:
        state = {"pid": os.getpid(), "release": activation.gate.in_force.release.digest}
        _publish(path, json.dumps({**state, "tried": activation.tried, "trouble": activation.trouble or trouble}))


def _publish(path: Path, text: str) -> None:
    # Crash before the rename: the old text or none, never half of one.
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text + "\n", encoding="ascii")
    draft.replace(path)
