"""`make bench-peers`: what the generators print is read strictly, and a peer that fails loses no other figure.

No peer is installed or started here, and nothing is measured.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.peers import __main__ as run
from benchmarks.peers import direct, install
from benchmarks.peers.generators import Result, Streams, percentile, read_ghz, read_wrk, said
from benchmarks.peers.measure import Measured, one
from benchmarks.peers.plot import plot
from benchmarks.peers.processes import NotHereError, exit_status, finished, started, wait_for
from benchmarks.peers.rows import GRPC, MUTUAL, pinned, systems
from benchmarks.peers.systems import Common, Serving, System
from benchmarks.peers.table import BARE, DIRECT, LITELLM, OURS, PORTKEY, behind, document, targets
from tests.support import waiting

WRK = """Running 6s test @ http://127.0.0.1:1/v1/chat/completions
Requests/sec:    500.00

{"calls": 3000, "duration_us": 6000000, "p50_us": 1500, "p99_us": 4000, "refused": 0, "broken": 0}
"""
COMMON = Common(Path(), Path(), Path(), Path("wrk"), "http://127.0.0.1:1/v1", "127.0.0.1:2", "127.0.0.1:3")


PARENT = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN if (child := os.fork()) == 0 else signal.SIG_DFL)
print(f"{child or 'up'}\\n", end="", flush=True)  # in one piece, beside the other process
time.sleep(900)
"""


def ghz(**statuses: int) -> str:
    """A report of 100 calls of 1 to 100 microseconds."""
    details = [{"latency": n * 1000, "status": "x", "error": ""} for n in range(100, 0, -1)]
    return json.dumps({"rps": 12.5, "statusCodeDistribution": statuses, "errorDistribution": {}, "details": details})


def test_the_figures_of_wrk_are_read() -> None:
    """Calls a second and latencies come from the line that our script prints last."""
    assert read_wrk(WRK, refusals=False) == Result(500.0, 1.5, 4.0, 3000)


@pytest.mark.parametrize(
    ("changed", "refusals"),
    [('"refused": 1,', False), ('"refused": 0,', True), ('"refused": 0, "broken": 1, "x":', False)],
)
def test_an_unexpected_answer_over_http_ends_the_measurement(changed: str, refusals: bool) -> None:
    """One refusal among permitted calls, a permitted call among refusals, or a broken call, gives no figure."""
    with pytest.raises(NotHereError, match="of 3000 calls"):
        read_wrk(WRK.replace('"refused": 0,', changed).replace('"x": "broken": 0', '"x": 0'), refusals=refusals)


def test_the_figures_of_ghz_are_read() -> None:
    """Percentiles are taken over every call, refusals too, which ghz leaves out of its own."""
    assert read_ghz(ghz(PermissionDenied=100), "PermissionDenied") == Result(12.5, 0.05, 0.099, 100)


def test_a_generator_that_prints_no_figures_is_told() -> None:
    """Whatever it printed instead is the reason."""
    with pytest.raises(NotHereError, match="unable to connect"):
        read_wrk("unable to connect\n", refusals=False)


@pytest.mark.parametrize("statuses", [{"OK": 99, "Unavailable": 1}, {"PermissionDenied": 100}, {}])
def test_an_unexpected_status_ends_the_measurement(statuses: dict[str, int]) -> None:
    """Every call ends with the status that the case is about, or there is no figure."""
    with pytest.raises(NotHereError, match="instead of OK"):
        read_ghz(ghz(**statuses), "OK")


def test_a_percentile_is_one_of_the_values() -> None:
    """No value is made up between two."""
    assert [percentile([1.0, 2.0, 3.0, 4.0], p) for p in (0, 50, 51, 100)] == [1.0, 2.0, 3.0, 4.0]


def test_a_generator_that_fails_says_why() -> None:
    """What it wrote to its error output, or that it is not there, is the reason."""
    with pytest.raises(NotHereError, match="no such host"):
        said([sys.executable, "-c", "import sys; sys.exit('no such host')"])
    with pytest.raises(NotHereError, match="absent"):
        said(["/absent/program"])


def test_a_process_ends_with_its_block_and_so_do_its_children(tmp_path: Path) -> None:
    """Also one that ignores being asked, in the group of what was started, when the block fails."""
    program, log = tmp_path / "parent.py", tmp_path / "log"
    program.write_text(PARENT)

    def fails() -> None:
        with started([sys.executable, program], log) as process:
            wait_for(lambda: log.read_text().count("\n") == 2, process, log)
            pids.extend([process.pid, *(int(word) for word in log.read_text().split() if word.isdigit())])
            raise ZeroDivisionError

    pids: list[int] = []
    with pytest.raises(ZeroDivisionError):
        fails()
    assert len(pids) == 2
    waiting.wait_for(lambda: all(gone(pid) for pid in pids))


def test_a_program_that_does_not_end_is_ended_with_its_children(tmp_path: Path) -> None:
    """What it started is in the same group."""
    program, log = tmp_path / "parent.py", tmp_path / "log"
    program.write_text(PARENT.replace("flush=True", f"flush=True, file=open({str(log)!r}, 'a')"))
    with pytest.raises(NotHereError, match="did not end within 2 s"):
        finished([sys.executable, program], within_s=2)
    pids = [int(word) for word in log.read_text().split() if word.isdigit()] if log.exists() else []
    waiting.wait_for(lambda: all(gone(pid) for pid in pids))


def gone(pid: int) -> bool:
    """Whether a process is no more; one whose parent has not reaped it does nothing any more either."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in {"Z", "X"}
    except OSError:
        return True


def test_a_process_that_ends_while_it_starts_is_told_with_its_last_words(tmp_path: Path) -> None:
    """Nobody waits for what has ended."""
    log = tmp_path / "log"
    command = [sys.executable, "-c", "print('port taken'); raise SystemExit(3)"]
    with started(command, log) as process, pytest.raises(NotHereError, match=r"ended with 3 .* started: port taken"):
        wait_for(lambda: False, process, log)
    assert process.returncode == 3


def test_a_process_that_is_never_ready_is_told(tmp_path: Path) -> None:
    """After the time that it is given, and it is ended."""
    with started([sys.executable, "-c", "import time; time.sleep(900)"], tmp_path / "log") as process:
        assert exit_status(process) is None
        with pytest.raises(NotHereError, match="was not ready after 0 s: it said nothing"):
            wait_for(lambda: False, process, tmp_path / "log", within_s=0)
    assert process.returncode


def system(name: str, floor: str = DIRECT, lacks: str = "much") -> System:
    """A row that can't be started."""

    @contextmanager
    def start(_: Common) -> Iterator[Serving]:
        raise NotHereError(f"{name} is not in the registry")
        yield

    return System(name, "1", "s", floor, start, "r", lacks)


def test_a_peer_that_does_not_start_is_reported() -> None:
    """Its row has the reason and no figure."""
    found = one(system(LITELLM), COMMON, 1)
    assert found.permitted_many is None
    assert found.reasons == ["LiteLLM is not in the registry"]
    assert "- LiteLLM: LiteLLM is not in the registry" in document([found], "2 cores")


def test_a_peer_that_refuses_what_it_should_permit_keeps_its_other_figures() -> None:
    """A case that fails is told by its name."""

    class Fails:
        def run(self, in_flight: int, seconds: float) -> Result:
            raise NotHereError(f"answered 500 to {in_flight} for {seconds:.0f} s")

    class Works:
        def run(self, in_flight: int, seconds: float) -> Result:
            return Result(float(in_flight), seconds, 2.0, 10)

    @contextmanager
    def start(_: Common) -> Iterator[Serving]:
        yield Serving(Works(), Fails())

    found = one(System("x", "1", "s", "", start), COMMON, 1)
    assert (found.permitted_many, found.refused) == (Result(32.0, 1.0, 2.0, 10), None)
    assert found.reasons == ["refused: answered 500 to 32 for 1 s"]


def measured() -> list[Measured]:
    """A run with round figures."""

    def row(name: str, floor: str, rates: tuple[float, float], p50: float, first: float | None) -> Measured:
        yes, no = (Result(rate, 30.0, 60.0, 100) for rate in rates)
        flows = None if first is None else Streams(first, first * 2, 300.0)
        alone, denied = Result(1000 / p50, p50, p50 * 3, 100), Result(1000 / p50, p50, p50 * 3, 100)
        plain = not floor
        return Measured(system(name, floor, "" if plain or name == OURS else "much"), alone, denied, yes, no, flows)

    return [
        row(DIRECT, "", (20000, 20000), 0.1, 1.0),
        row(GRPC, "", (9000, 9000), 0.2, None),
        row(MUTUAL, "", (8000, 8000), 0.2, None),
        row(OURS, MUTUAL, (1600, 2000), 1.0, 90.0),
        row(LITELLM, DIRECT, (100, 200), 20.0, 30.0),
        row(PORTKEY, DIRECT, (1500, 1800), 2.0, None),
        row(BARE, GRPC, (4000, 4000), 0.4, None),
    ]


def test_each_target_is_beside_its_figure() -> None:
    """Reached and missed are what the figures say; what was not measured is neither."""
    found = {t.name: (t.value, t.met) for t in targets(measured())}
    assert found["added to the direct call, p50"] == ("0.90 ms", True)
    assert found["permitted"] == ("1,600/s", True)
    assert found["permitted, times LiteLLM"] == ("16.00", False)
    assert found["permitted, times Portkey"] == ("1.07", True)
    assert found["refused"] == ("2,000/s", False)
    assert found["refused, times opa-envoy's bare decisions"] == ("0.50", False)
    assert found["first text of a stream"] == ("90.00 ms", True)
    without = {t.name: t.met for t in targets([m for m in measured() if m.system.name != LITELLM])}
    assert without["permitted, times LiteLLM"] is None


def test_what_is_slower_is_said_first() -> None:
    """Each figure in which a peer is ahead comes before the tables."""
    said_ = behind(measured())
    assert any("opa-envoy, one rule does 4,000 refused calls a second, 2.0 times our 2,000" in line for line in said_)
    assert any("The first text of a stream comes after 30.0 ms with LiteLLM" in line for line in said_)
    text = document(measured(), "2 cores")
    assert all(0 < text.index(line) < text.index("| one client |") for line in said_)


def test_rates_are_compared_with_the_floor_of_their_generator() -> None:
    """So that what another generator costs is in no ratio."""
    text = document(measured(), "2 cores")
    assert "| Brightline | permitted | 1,600/s | 60.0 ms | 20 % |  |" in text
    assert "| Portkey | permitted | 1,500/s | 60.0 ms | 8 % | 1.07 |" in text


def test_only_the_part_between_the_marks_is_written(tmp_path: Path) -> None:
    """What people wrote around it stays, whenever it is measured again."""
    page = tmp_path / "performance.md"
    page.write_text(f"# Title\n\n{run.BEGIN}\nold\n{run.END}\n\nAfter.\n")
    for text in ("first\n", "second\n"):
        run.write(page, text, measured())
    assert page.read_text().startswith(f"# Title\n\n{run.BEGIN}\n\nsecond\n")
    assert page.read_text().endswith(f"{run.END}\n\nAfter.\n")
    assert "old" not in page.read_text()
    assert "LiteLLM, permitted" in (tmp_path / "performance-peers.svg").read_text()


def test_the_page_has_the_marks() -> None:
    """Of the documents."""
    assert run.PAGE.read_text().count(run.BEGIN) == run.PAGE.read_text().count(run.END) == 1


def test_figures_are_json() -> None:
    """Every row with its figures, and every target."""
    document_ = json.loads(json.dumps(run.figures(measured(), "2 cores")))
    assert [row["name"] for row in document_["systems"]][3] == OURS
    assert document_["systems"][3]["permitted_many"]["rate"] == 1600


def test_a_plot_without_a_figure_is_a_plot() -> None:
    """Where no peer could be measured."""
    assert plot([]).startswith('<svg xmlns="http://www.w3.org/2000/svg"')


def test_every_row_names_its_floor_and_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each system that is compared has a floor among the rows, and each peer says where it does less."""
    monkeypatch.delenv("OPA_ENVOY", raising=False)
    rows = systems(Path("/absent/wrk"))
    names = {row.name for row in rows}
    assert all(row.floor in names for row in rows if row.floor)
    assert all(row.lacks for row in rows if row.floor and row.name != OURS)
    assert direct.upstream in [row.start for row in rows]


def test_opa_envoy_is_measured_where_its_binary_is_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """OPA_ENVOY names it; one that is no program is told."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("OPA_ENVOY", raising=False)
    with pytest.raises(NotHereError, match="OPA_ENVOY=path"):
        install.opa_envoy()
    monkeypatch.setenv("OPA_ENVOY", str(tmp_path))
    with pytest.raises(NotHereError, match="is no program"):
        install.opa_envoy()
    program = tmp_path / "opa"
    program.touch(mode=0o700)
    monkeypatch.setenv("OPA_ENVOY", str(program))
    assert install.opa_envoy() == program


def test_a_failed_installation_says_why(tmp_path: Path) -> None:
    """With the end of what the installer said."""
    with pytest.raises(NotHereError, match="hashes do not match"):
        install.run([sys.executable, "-c", "raise SystemExit('hashes do not match')"], tmp_path, dict(os.environ))
    with pytest.raises(NotHereError, match="absent"):
        install.run(["/absent/npm"])


def test_what_is_pinned_names_no_registry() -> None:
    """Locks pin by version and hash; where they are fetched from is each machine's own matter."""
    lock = json.loads((install.HERE / "portkey" / "package-lock.json").read_bytes())["packages"]
    assert all("integrity" in entry and "resolved" not in entry for name, entry in lock.items() if name)
    assert pinned("litellm") != "?"
    assert "index" not in (install.ROOT / "requirements" / "peers.txt").read_text().partition("\n\n")[0]
