"""Policies that misbehave on request: one Rego module, and hand-written Wasm modules that no compiler emits."""

from __future__ import annotations

import wasmtime

from tests.support.releases import REVISION

REGO = """
package brightline

good := {"effect": "allow", "rules": [], "obligations": [], "grants": [], "revision": data.release.revision}

decision := good if input.case == "good"

decision := "true" if input.case == "text"

decision := true if input.case == "boolean"

decision := [good, good] if input.case == "array"

decision := null if input.case == "null"

decision := object.union(good, {"surprise": true}) if input.case == "unknown key"

decision := object.union(good, {"effect": "permit"}) if input.case == "unknown effect"

decision := object.union(good, {"revision": "another"}) if input.case == "another revision"

decision := object.union(good, {"grants": numbers.range(1, 100000)}) if input.case == "huge"

decision := good if {
	input.case == "slow"
	some a in numbers.range(1, 3000)
	some b in numbers.range(1, 3000)
	a < b
	b < a
}

decision := good if {
	input.case == "conflict"
}

decision := object.union(good, {"grants": ["x"]}) if {
	input.case == "conflict"
}
"""
"""The decision depends on input.case. Any other case leaves it undefined."""

ODD_CASES = (
    "text",
    "boolean",
    "array",
    "null",
    "unknown key",
    "unknown effect",
    "another revision",
    "huge",
    "conflict",
)

MEMORY = """
package brightline

pairs := [pair | some a in numbers.range(1, 3000); some b in numbers.range(1, 3000); pair := [a, b]]

good := {"effect": "allow", "rules": [], "obligations": [], "grants": [], "revision": data.release.revision}

decision := object.union(good, {"grants": pairs}) if input.case == "large"

decision := good if input.case == "good"
"""

HTTP = """
package brightline

decision := http.send({"method": "get", "url": "http://127.0.0.1:1"}).body
"""

GOOD = f'{{"effect":"allow","rules":[],"obligations":[],"grants":[],"revision":"{REVISION}"}}'


def rules(count: int) -> str:
    """A policy of that many rules. A rule fires only if input.case is its number."""
    good = '{"effect": "allow", "rules": [], "obligations": [], "grants": [], "revision": data.release.revision}'
    text = ["package brightline", f'decision := {good} if {{ count(deny) == 0; input.case == "good" }}']
    for number in range(count):
        title = f"rule {number} of a long policy, with a title that takes some room in the module's data"
        text.append(
            f'deny contains {{"id": "rule_{number}", "title": "{title}"}} if '
            f'{{ input.case == {number}; startswith(input.words[_], "word {number}") }}'
        )
    return "\n".join(text)


def module(
    results: str = f'[{{"result":{GOOD}}}]', *, evaluate: str = "(i32.const 4096)", pages: int = 2, also: str = ""
) -> bytes:
    """A module with OPA's ABI whose evaluation returns these bytes, whatever the input.

    evaluate: the body of the evaluation. also: further fields of the module. Both are WebAssembly text.
    """
    text = "".join(f"\\{byte:02x}" for byte in results.encode()) + "\\00"
    return bytes(
        wasmtime.wat2wasm(f"""(module
          (import "env" "memory" (memory {pages})) {also}
          (global (export "opa_wasm_abi_version") i32 (i32.const 1))
          (global (export "opa_wasm_abi_minor_version") i32 (i32.const 3))
          (data (i32.const 1024) "{{\\22brightline/decision\\22:0}}\\00")
          (data (i32.const 2048) "{{}}\\00")
          (data (i32.const 4096) "{text}")
          (func (export "opa_malloc") (param i32) (result i32) (i32.const 65536))
          (func (export "opa_free") (param i32))
          (func (export "opa_json_parse") (param i32 i32) (result i32) (local.get 0))
          (func (export "opa_json_dump") (param i32) (result i32) (local.get 0))
          (func (export "opa_heap_ptr_get") (result i32) (i32.const 65536))
          (func (export "opa_heap_ptr_set") (param i32))
          (func (export "entrypoints") (result i32) (i32.const 1024))
          (func (export "builtins") (result i32) (i32.const 2048))
          (func (export "opa_eval") (param i32 i32 i32 i32 i32 i32 i32) (result i32) {evaluate}))""")
    )
