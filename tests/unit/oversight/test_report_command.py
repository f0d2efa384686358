"""`brightline audit report`, on real logs."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from brightline_verify.record import Kind
from gateway.cli import trail
from tests.support import logs
from tests.unit.audit.test_verify import append

STARTER = Path(__file__).parents[3] / "gateway/assets/starter"
DAY_US = 86_400_000_000
FIRST_DAY = datetime.fromtimestamp(logs.START_US / 1e6, UTC).date()
MARKED = '<script>alert(1)</script>&"'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A log of three days, with an incident whose text wants to be markup."""
    incident = {"text": MARKED, "aware_at_us": logs.START_US, "report_within_hours": 24}
    append(
        tmp_path,
        logs.record(Kind.REFUSAL, 1, "agency-a", incidents=[incident]),
        logs.record(Kind.INTENT, 2, "agency-a", DAY_US),
        logs.record(Kind.OUTCOME, 2, "agency-a", DAY_US + 5),
        logs.record(Kind.REFUSAL, 3, "agency-b", 2 * DAY_US),
    )
    return tmp_path


def run(folder: Path, *arguments: object) -> Result:
    where = ("--log", folder / "audit.db", "--key", folder / "log.key.pub")
    return CliRunner().invoke(trail, ["report", *map(str, (*where, *arguments))])


def report(folder: Path, *arguments: object) -> dict[str, Any]:
    done = run(folder, "--json", folder / "o.json", *arguments)
    assert done.exit_code == 0, done.output
    told: dict[str, Any] = json.loads((folder / "o.json").read_bytes())
    return told


def test_a_report_is_printed_and_written(folder: Path) -> None:
    """The figures on the terminal, in JSON and on the page are those of the log."""
    told = report(folder, "--release", STARTER, "--html", folder / "o.html")
    assert (told["records"], told["logs"][0]["under_a_checkpoint"]) == (4, 4)
    assert told["calls"] == {"permitted": 1, "approval_required": 0, "denied": 2, "otherwise": 0}
    red = {rule["id"]: rule["requests"] for rule in told["rules"] if rule["class"] == "red_line"}
    assert (red["weapon_engage_autonomous"], red["csam"], len(red)) == (2, 0, 8)
    assert [due["clock"] for due in told["incidents"][0]["due"]][:2] == ["policy", "SB 53, 24 h"]
    page = (folder / "o.html").read_text()
    assert "agency-b" in page
    assert "4 records" in page


def test_every_rule_tells_what_it_refused_unjudged(folder: Path) -> None:
    """The report has for each rule how often it refused what nobody could judge, and the page names its colour."""
    told = report(folder, "--html", folder / "o.html")
    assert told["rules"]
    assert all(rule["not_judged"] == 0 for rule in told["rules"])
    assert "Grey: what nobody could judge" in (folder / "o.html").read_text()


def test_the_page_obeys_nothing_that_a_record_says(folder: Path) -> None:
    """Text of a record stays text, and the page asks for no script and nothing from elsewhere."""
    run(folder, "--html", folder / "o.html")
    page = (folder / "o.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert not re.search(r"(?:src|href)=|url\(|https?:", page)


def test_a_period_has_its_days_and_no_others(folder: Path) -> None:
    """The first and the last day are in it; a period without records is a report of zeros."""
    second = FIRST_DAY.fromordinal(FIRST_DAY.toordinal() + 1)
    assert report(folder, "--since", second)["records"] == 3
    assert report(folder, "--until", second)["records"] == 3
    assert report(folder, "--since", second, "--until", second)["records"] == 2
    told = report(folder, "--until", "2020-01-01", "--html", folder / "o.html")
    assert (told["records"], told["days"], told["incidents"]) == (0, [], [])


def test_nothing_is_told_of_a_log_that_does_not_hold(folder: Path) -> None:
    """A log with a changed record gives no report."""
    with logs.reading(folder) as db:
        db.execute("UPDATE entries SET leaf = replace(leaf, 'agency-b', 'agency-c') WHERE idx = 3")
    done = run(folder, "--html", folder / "o.html")
    assert (done.exit_code, (folder / "o.html").exists()) == (2, False)
    assert "is not verified" in done.output


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("--html", "missing/o.html"), "No such file"),
        (("--release", "missing"), "no red lines here"),
        (("--since", "yesterday"), "does not match"),
    ],
)
def test_what_can_not_be_used_is_named(folder: Path, arguments: tuple[str, ...], what: str) -> None:
    """What can't be read, written or understood exits with 2 and a reason."""
    done = run(folder, *arguments)
    assert done.exit_code == 2
    assert what in done.output
