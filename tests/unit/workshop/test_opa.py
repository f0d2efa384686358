"""Open Policy Agent is found and bounded, and Rego gets the built-in functions that our engine has."""

from __future__ import annotations

import json
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.config import Policy
from gateway.errors import StartError
from gateway.pdp.wasm import open_wasm
from gateway.types import Release
from gateway.workshop import opa
from gateway.workshop.capabilities import INSIDE, capabilities


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that is all of PATH, outside a checkout."""
    monkeypatch.setattr(opa, "_CHECKOUT", tmp_path / "no/checkout")
    monkeypatch.setenv("PATH", str(tmp_path))
    opa.binary.cache_clear()
    yield tmp_path
    opa.binary.cache_clear()


def test_a_missing_opa_is_said_with_where_to_get_it(path: Path) -> None:
    """Without the command, what is said names the version and where it belongs."""
    with pytest.raises(StartError, match=r"Agent is missing: there is no `opa` on PATH\n.*1\.21\.3 or newer"):
        opa.binary()


@pytest.mark.parametrize("says", ["Version: 1.9.0", "Version: 0.70.0", "hello"])
def test_an_old_opa_is_refused(path: Path, says: str) -> None:
    """An older one, or another program of that name, is named and refused."""
    (path / "opa").write_text(f"#!/bin/sh\necho '{says}'\n")
    (path / "opa").chmod(0o755)
    with pytest.raises(StartError, match=r"/opa: is not Open Policy Agent 1\.21\.3 or newer"):
        opa.binary()


@pytest.mark.parametrize(("set_", "runs"), [({}, "400 2048MiB"), ({"GOGC": "50"}, "50 2048MiB")])
def test_it_collects_garbage_seldom(
    path: Path, monkeypatch: pytest.MonkeyPatch, set_: dict[str, str], runs: str
) -> None:
    """It runs with the setting of Go's collector under which tests take three fifths, unless the user says another."""
    for name in ("GOGC", "GOMEMLIMIT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in set_.items():
        monkeypatch.setenv(name, value)
    told = 'case $1 in version) echo "Version: 1.21.3";; *) echo "$GOGC $GOMEMLIMIT";; esac'
    (path / "opa").write_text(f"#!/bin/sh\n{told}\n")
    (path / "opa").chmod(0o755)
    monkeypatch.setenv("PATH", f"{path}:/bin:/usr/bin")
    assert opa.opa("eval", at=path).stdout.strip() == runs


def test_what_takes_too_long_is_stopped(tmp_path: Path) -> None:
    """A run ends at its deadline, and says why."""
    query = "count([x | some x in numbers.range(1, 3000); some y in numbers.range(1, 3000); x == y])"
    done = opa.opa("eval", query, at=tmp_path, deadline_s=0.2)
    assert done.returncode == 1
    assert done.stderr.startswith("opa did not end within 0.2 seconds; a rule runs over too much, or without end")


def test_what_takes_too_much_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that fills its memory ends, and says why in one line."""
    monkeypatch.setattr(opa, "_BOUNDED", 'ulimit -v 1500000; exec "$0" "$@"')
    done = opa.opa("eval", "numbers.range(1, 100000000)", at=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("opa needs more than")
    assert "\n" not in done.stderr


def functions(*, of_tests: bool) -> dict[str, int]:
    """The functions of a capabilities file, with the number of their arguments."""
    with capabilities(of_tests=of_tests) as file:
        return {b["name"]: len(b["decl"].get("args", [])) for b in json.loads(file.read_bytes())["builtins"]}


def test_rules_get_what_the_engine_has_inside(tmp_path: Path) -> None:
    """A module that calls every function that rules may call needs nothing from its host."""
    calls = [
        f"{name}({', '.join(['input.x'] * n)})" for name, n in functions(of_tests=False).items() if name != "assign"
    ]
    rules = "".join(f"x contains {n} if {call}\n" for n, call in enumerate(calls))
    module = f"package brightline\n\n{rules}\ndecision := x\n"
    (tmp_path / "policy.rego").write_text(module)
    build = [opa.binary(), "build", "-t", "wasm", "-e", "brightline/decision", "-o", "bundle.tar.gz", "policy.rego"]
    subprocess.run(build, cwd=tmp_path, check=True)
    with tarfile.open(tmp_path / "bundle.tar.gz") as archive:
        wasm = archive.extractfile("/policy.wasm")
        assert wasm is not None
        open_wasm(Release("", 0, (), "", wasm.read(), {}, {}, {}), Policy())


def test_what_rules_may_call_is_there() -> None:
    """Every name of the list is a function of OPA: none is left over from another version."""
    assert functions(of_tests=False).keys() == INSIDE


@pytest.mark.parametrize("of_tests", [True, False])
def test_nothing_of_the_world_outside_is_there(of_tests: bool) -> None:
    """Neither rules nor tests have network, clock, randomness, the runtime, or a way to print."""
    taken = {"http.send", "net.lookup_ip_addr", "time.now_ns", "rand.intn", "uuid.rfc4122", "opa.runtime", "trace"}
    assert not (taken | {"print", "internal.print"}) & functions(of_tests=of_tests).keys()
    assert "json.patch" in functions(of_tests=True)
