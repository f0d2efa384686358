"""Runs one gateway until a signal stops it. Other signals reload the release or replace the workers."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path

import structlog

from gateway import atomic_files, memory
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
    """Serve until SIGTERM or SIGINT, then drain. SIGHUP puts in force what the release source has now; SIGUSR1 replaces
    the workers, with the configuration from `reread`.

    address_file: gets host:port once calls are served. state_file: gets what is in force.
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
            except OSError as error:  # perhaps a full disk: later releases are loaded anyway
                log.error("state not told", why=f"{state_file}: {error.strerror}")  # noqa: TRY400 - the text is enough

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
    from gateway import metrics  # noqa: PLC0415 - imported only if configured

    source = (
        port.counted if isinstance(port, Supervisor) else lambda: (gate.counted, 1, 0, config.limits.concurrent_calls)
    )
    return metrics.served(config.metrics, gate, source)


async def _renew(
    wanted: asyncio.Event, port: Listener | Supervisor, activation: Activation, reread: Callable[[], Config] | None
) -> None:
    """Replace the workers each time `wanted` is set, until cancelled. Several requests meanwhile count once."""
    while True:
        await wanted.wait()
        wanted.clear()
        if not isinstance(port, Supervisor):
            log.error("workers not replaced", why="listener.workers: this process serves alone; start it again instead")
            continue
        try:
            # In a thread, because a folder on another host may respond slowly and records must not wait for it.
            read = await asyncio.to_thread(reread) if reread else activation.config
            fresh = activation.config.renewed(read)
            log.info("replacing workers")
            why = await port.replace(fresh)
        except StartError as error:
            log.error("workers not replaced", why=str(error))  # noqa: TRY400 - the text is enough
        except Exception as error:  # after any failure the serving workers stay and can be replaced later
            log.exception("workers not replaced", why=f"the gateway failed: {type(error).__name__}", exc_info=error)
        else:
            if why:
                log.error("workers not replaced", why=why)
            else:
                activation.config = fresh
                log.info("workers replaced")


def _tell(path: Path | None, activation: Activation, trouble: str = "") -> None:
    """Write what is in force, for a tool that asked for a reload. trouble: why the workers did not follow."""
    if path is not None:
        state = {"pid": os.getpid(), "release": activation.gate.in_force.release.digest}
        _publish(path, json.dumps({**state, "tried": activation.tried, "trouble": activation.trouble or trouble}))


def _publish(path: Path, text: str) -> None:
    atomic_files.replace(path, f"{text}\n".encode("ascii"))
