"""Evaluates a decision with a single call into the Wasm module.

The library makes five calls into the module per evaluation. For each call, the engine's bindings look up and convert
every argument type, which costs more than the evaluation. Here the memory never grows or moves. So the input is copied
behind the data, one function is called with plain integers, and the result is read from the address that it returns.
"""

from __future__ import annotations

import ctypes
import struct
import time
from typing import Any

import wasmtime
from opapywasm import OpaEvaluationError
from opapywasm.instance import OpaPolicyInstance
from opapywasm.runtime import EpochTicker
from wasmtime import _ffi as ffi

_ALIGNMENT = 8
_ARGUMENTS = 7
_LAID_OUT = struct.Struct("=" + f"i{ctypes.sizeof(ffi.wasmtime_val_raw_t) - 4}x" * _ARGUMENTS)
"""The layout of the arguments: each is an i32 at the start of its slot."""
_ADDRESS = struct.Struct("=I")
_GLANCE = 8192
"""The bytes of a result that are read first. Most decisions fit."""
_FRESH_TICKS = 2
"""A deadline set at most this many ticks ago is reused. Setting one releases the interpreter's lock, which under load
costs as much as half an evaluation. An endless evaluation may therefore run a few milliseconds longer."""


class Evaluation:
    """Evaluates one entrypoint of an instance that holds its data. most: the longest result in bytes.

    1 check that the input fits behind the data  2 set the deadline; if anything fails from here on, the instance is
    unusable  3 call opa_eval (OPA Wasm ABI 1.2)  4 read the result, at most to the end of the memory
    """

    def __init__(self, instance: OpaPolicyInstance, entrypoint: int, deadline_ticks: int, most: int) -> None:
        self._fresh_ns = int(_FRESH_TICKS * EpochTicker.tick_seconds * 1e9)
        self._set_ns = -self._fresh_ns
        runtime, data = instance._runtime, instance._data  # noqa: SLF001 - the library has no public access to them
        self._store, self._deadline_ticks, self._most = runtime.store, deadline_ticks + _FRESH_TICKS, most
        self._function = runtime.get_func("opa_eval")._func  # noqa: SLF001 - see above
        size = runtime.memory.data_len(self._store)
        base = ctypes.cast(runtime.memory.data_ptr(self._store), ctypes.c_void_p).value
        self._memory = memoryview((ctypes.c_ubyte * size).from_address(base or 0)).cast("B")
        self._arguments = (ffi.wasmtime_val_raw_t * _ARGUMENTS)()
        self._trap = ctypes.POINTER(ffi.wasm_trap_t)()
        self._call = (  # the same for every evaluation, so made once
            self._store._context(),  # noqa: SLF001 - as in the bindings' own call
            ctypes.byref(self._function),
            self._arguments,
            _ARGUMENTS,
            ctypes.byref(self._trap),
        )
        self._fixed = (0, entrypoint, data.data_addr)
        self._input_at = _aligned(data.data_heap_ptr)
        self.broken = False

    def __call__(self, text: bytes) -> bytes:
        """The result set for an input, both as JSON. Raises OpaEvaluationError."""
        heap = _aligned(self._input_at + len(text))
        if heap >= len(self._memory):  # 1
            raise OpaEvaluationError(f"an input of {len(text)} bytes does not fit into the memory")
        self.broken = True  # 2
        self._memory[self._input_at : self._input_at + len(text)] = text
        now_ns = time.monotonic_ns()
        if now_ns - self._set_ns >= self._fresh_ns:
            self._store.set_epoch_deadline(self._deadline_ticks)
            self._set_ns = now_ns
        _LAID_OUT.pack_into(self._arguments, 0, *self._fixed, self._input_at, len(text), heap, 0)
        error = ffi.wasmtime_func_call_unchecked(*self._call)  # 3
        if error or self._trap:
            raise self._failure(error)
        result = self._read(_ADDRESS.unpack_from(self._arguments)[0])  # 4
        self.broken = False
        return result

    def _failure(self, error: Any) -> OpaEvaluationError:
        if error:
            return OpaEvaluationError(str(wasmtime.WasmtimeError._from_ptr(error)))  # noqa: SLF001 - see above
        trapped = wasmtime.Trap._from_ptr(self._trap)  # noqa: SLF001 - see above
        late = trapped.trap_code is wasmtime.TrapCode.INTERRUPT
        return OpaEvaluationError("the time limit was reached" if late else str(trapped))

    def _read(self, start: int) -> bytes:
        for longest in (_GLANCE, self._most + 1):
            text = bytes(self._memory[start : start + longest])
            end = text.find(0)
            if end >= 0:
                return text[:end]
        raise OpaEvaluationError(f"the result has more than {self._most} bytes")


def _aligned(address: int) -> int:
    return -(-address // _ALIGNMENT) * _ALIGNMENT
