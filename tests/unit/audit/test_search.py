from __future__ import annotations

import asyncio
import base64
import json
import pickle
import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from brightline_verify import database
from brightline_verify.database import File
from brightline_verify.record import Kind
from gateway.audit import bitmap, index, indexing, reader, search
from gateway.audit.filter import Filter, terms
from gateway.audit.index import Builder, Held, StaleError, index_path
from gateway.audit.record import Record, entry
from gateway.audit.search import BehindError, Place
from gateway.audit.sqlite import Sqlite
from gateway.audit.store import Store
from gateway.cli import trail
from tests.support import logs
from tests.support.waiting import wait_for

TENANTS, SUBJECTS, RULES = ("a", "b", "c"), ("alice", "bob", "carol", "dan"), ("one", "two", "three")
SIZE = 400


def drawn(number: int, chance: random.Random) -> Record:
    """A record of one of a few tenants, subjects, rules and effects."""
    kind = chance.choice((Kind.REFUSAL, Kind.CHECK, Kind.ACCESS))
    tenant, subject = chance.choice(TENANTS), chance.choice(SUBJECTS)
    rules = [{"id": r, "class": "law", "effect": "deny"} for r in chance.sample(RULES, chance.randrange(3))]
    decided = {"effect": "deny" if rules else "allow", "obligations": [], "grants": []}
    who = {"tenant": tenant, "subject": subject, "client_id": "app", "roles": []}
    return logs.record(kind, number, after_us=number * 7, principal=who, rules=rules, decision=decided)


def write(folder: Path, records: list[Record]) -> None:
    """Add records to the log in `folder`."""
    store = Store(Sqlite(logs.settings(folder).path), logs.signer(folder))
    for start in range(0, len(records), 100):
        store.append([entry(r) for r in records[start : start + 100]])
    store.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of records with different words, and an index of the first three quarters of it."""
    made, chance = tmp_path_factory.mktemp("log"), random.Random(7)  # noqa: S311 - the same each time
    records = [drawn(n, chance) for n in range(SIZE)]
    write(made, records[: SIZE * 3 // 4])
    build(made)
    write(made, records[SIZE * 3 // 4 :])
    return made


def build(folder: Path) -> int:
    """Bring the index up to date; how many records it has."""
    path = folder / "audit.db"
    with reader.opened(path) as log, closing(Builder(index_path(path), log)) as builder:
        indexing.catch_up(log, builder)
        return builder.size


@contextmanager
def place(folder: Path, *, indexed: bool = True) -> Iterator[Place]:
    """The log in `folder` with its index or without."""
    with ExitStack() as stack:
        log = stack.enter_context(reader.opened(folder / "audit.db"))
        found = stack.enter_context(index.opened(index_path(folder / "audit.db"), log)) if indexed else None
        yield Place(log, found)


def pages(where: Place, looked_for: Filter, most: int) -> list[list[int]]:
    """The indexes of what is found, page by page."""
    found: list[list[int]] = []
    start: search.Position | None = None
    while True:
        page = search.page([where], looked_for, start, most)
        found.append([f.index for f in page.found])
        start = page.rest
        if start is None:
            return found


FILTERS = st.builds(
    Filter,
    tenant=st.sampled_from(("", "a", "b", "nobody")),
    subject=st.sampled_from(("", "alice", "dan")),
    rule=st.sampled_from(("", "one", "two")),
    effect=st.sampled_from(("", "deny", "allow")),
    kind=st.sampled_from(("", "refusal", "check")),
    from_us=st.sampled_from((0, logs.START_US + 800, logs.START_US + 3000)),
    until_us=st.sampled_from((0, logs.START_US + 2000, logs.START_US + 2900)),
)


@given(FILTERS, st.integers(1, 200))
@settings(max_examples=120, deadline=None)
def test_an_index_finds_what_reading_everything_finds(folder: Path, looked_for: Filter, most: int) -> None:
    """Every combination gives the records that fit, newest first, in whole pages, whatever the index has yet."""
    expected = [n for n, r in reversed(list(enumerate(logs.records(folder)))) if looked_for.fits(r)]
    for indexed in (True, False):
        with place(folder, indexed=indexed) as where:
            found = pages(where, looked_for, most)
        assert [n for page in found for n in page] == expected
        assert all(len(page) == most for page in found[:-1])


def test_records_that_come_later_do_not_move_a_page(tmp_path: Path) -> None:
    """A search that goes on sees the log as it was when it began."""
    write(tmp_path, [logs.record(Kind.REFUSAL, n) for n in range(10)])
    with place(tmp_path, indexed=False) as where:
        first = search.page([where], Filter(), None, 4)
    write(tmp_path, [logs.record(Kind.REFUSAL, n) for n in range(10, 20)])
    with place(tmp_path, indexed=False) as where:
        rest = search.page([where], Filter(), first.rest, 10)
    assert [f.index for f in first.found] == [9, 8, 7, 6]
    assert ([f.index for f in rest.found], rest.rest) == ([5, 4, 3, 2, 1, 0], None)


def test_several_logs_are_one_in_the_order_of_time(tmp_path: Path) -> None:
    """The union of two logs is found newest first, page by page, each record once."""
    halves = {name: tmp_path / name for name in ("log.example/one", "log.example/two")}
    with ExitStack() as stack:
        places = []
        for half, (origin, place_of) in enumerate(halves.items()):
            place_of.mkdir(parents=True)
            settings = logs.settings(place_of, origin=origin)
            store = Store(Sqlite(settings.path), logs.load_signer(settings.signing_key, origin))
            store.append([entry(logs.record(Kind.REFUSAL, n)) for n in range(half, 30, 2)])
            store.close()
            places.append(Place(stack.enter_context(reader.opened(settings.path)), None))
        found: list[str] = []
        start: search.Position | None = None
        while True:
            page = search.page(places, Filter(), start, 7)
            found += [f.record["decision_id"] for f in page.found]
            start = page.rest
            if start is None:
                break
    assert found == [f"{n:032x}" for n in reversed(range(30))]


def test_a_decision_is_found_with_its_outcome(tmp_path: Path) -> None:
    """By its id, without any index, and only for the tenant that is looked for."""
    write(tmp_path, [logs.record(Kind.INTENT, 5), logs.record(Kind.REFUSAL, 6), logs.record(Kind.OUTCOME, 5)])
    with place(tmp_path, indexed=False) as where:
        assert pages(where, Filter(decision_id=f"{5:032x}"), 10) == [[2, 0]]
        assert pages(where, Filter(decision_id=f"{5:032x}", tenant="t"), 10) == [[2, 0]]
        assert pages(where, Filter(decision_id=f"{5:032x}", tenant="other"), 10) == [[]]


def test_an_index_says_where_to_look_and_not_what_is_there(tmp_path: Path) -> None:
    """A record that an index has under a word which the record does not say is not given out."""
    write(tmp_path, [logs.record(Kind.REFUSAL, n) for n in range(10)])
    build(tmp_path)
    with closing(sqlite3.connect(index_path(tmp_path / "audit.db"), isolation_level=None)) as db:
        db.execute("INSERT INTO blocks SELECT 'tenant=other', block, records FROM blocks WHERE term = 'tenant=t'")
    with place(tmp_path) as where:
        assert pages(where, Filter(tenant="t"), 20) == [list(reversed(range(10)))]
        assert pages(where, Filter(tenant="other"), 20) == [[]]


def test_an_index_of_another_log_is_not_used(tmp_path: Path) -> None:
    """A log that was put back or replaced has no index until one is made, which begins anew."""
    write(tmp_path, [logs.record(Kind.REFUSAL, n) for n in range(10)])
    build(tmp_path)
    for name in ("audit.db", "audit.db-wal", "audit.db-shm", "audit.db.checkpoint", "audit.db.tail"):
        (tmp_path / name).unlink(missing_ok=True)
    write(tmp_path, [logs.record(Kind.CHECK, n) for n in range(5)])
    with pytest.raises(StaleError), place(tmp_path):
        pass
    assert build(tmp_path) == 5
    with place(tmp_path) as where:
        assert pages(where, Filter(kind="refusal"), 20) == [[]]
        assert pages(where, Filter(kind="check"), 20) == [[4, 3, 2, 1, 0]]


@pytest.mark.parametrize("spoil", [b"", b"not a database", b"SQLite format 3\0" + bytes(4000)])
def test_an_index_that_is_none_is_made_anew(tmp_path: Path, spoil: bytes) -> None:
    """Whatever lies in its place, a search does not use it and the next index replaces it."""
    write(tmp_path, [logs.record(Kind.REFUSAL, n) for n in range(10)])
    index_path(tmp_path / "audit.db").write_bytes(spoil)
    with pytest.raises(StaleError), place(tmp_path):
        pass
    assert build(tmp_path) == 10


@pytest.mark.parametrize("damage", ["UPDATE times SET spans = x'00'", "UPDATE blocks SET records = 7"])
def test_an_index_that_is_damaged_is_made_anew(tmp_path: Path, damage: str) -> None:
    """An index whose state fits the log and whose rows were spoilt is made again by who keeps it, without a restart."""
    write(tmp_path, [logs.record(Kind.REFUSAL, n) for n in range(10)])
    assert build(tmp_path) == 10
    path = index_path(tmp_path / "audit.db")
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(damage)
    write(tmp_path, [logs.record(Kind.REFUSAL, n) for n in range(10, 12)])
    told = run(tmp_path, "index")
    assert (told.exit_code, "brightline audit index --rebuild" in told.stderr) == (2, True)
    following = indexing._Following(Held(File(tmp_path / "audit.db"), path))
    assert [following.step() for _ in range(3)] == [False, True, False]
    following.close()
    assert indexed(tmp_path) == 12


def test_too_much_without_an_index_is_told(tmp_path: Path) -> None:
    """Where a search may look through only so many records, it says how far the index is."""
    write(tmp_path, [logs.record(Kind.REFUSAL, n) for n in range(10)])
    with place(tmp_path, indexed=False) as where:
        assert pages(Place(where.reader, None, unindexed=10), Filter(), 20)
        with pytest.raises(BehindError, match="0 of 10 records"):
            search.page([Place(where.reader, None, unindexed=9)], Filter())


def test_a_page_ends_before_it_is_too_large(tmp_path: Path) -> None:
    """Large records make short pages, none of them empty."""
    big = [logs.record(Kind.REFUSAL, n, method="x" * 60_000) for n in range(40)]
    write(tmp_path, big)
    with place(tmp_path, indexed=False) as where:
        found = pages(where, Filter(), 100)
    assert [n for page in found for n in page] == list(reversed(range(40)))
    assert {len(page) for page in found[:-1]} == {search.MOST_BYTES // 60_000}


@given(st.sets(st.integers(0, bitmap.WIDTH - 1), max_size=30), st.booleans(), st.integers(0, bitmap.WIDTH))
@settings(max_examples=60, deadline=None)
def test_positions_are_kept_in_either_form(some: set[int], many: bool, end: int) -> None:
    """Few positions and many of them are read back, and what two have in common is found, highest first."""
    dense = set(range(0, bitmap.WIDTH, 7))
    held, other = bitmap.Positions(), bitmap.Positions()
    for p in sorted(some | dense if many else some):
        held.add(p)
    for p in sorted(dense):
        other.add(p)
    stored = [held.stored(), other.stored()]
    assert bitmap.Positions(stored[0]).stored() == stored[0]
    common = (some | dense if many else some) & dense
    assert list(bitmap.both(stored, bitmap.span(0, end))) == sorted((p for p in common if p < end), reverse=True)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(("principal", "rules", "id", "decision", "judgements", "effect", "time_us", "tenant")),
                inner,
            )
        ),
    )
)
def test_anything_can_be_looked_at(value: Any) -> None:
    """Whatever a leaf says, it has words or none, and fits a filter or not."""
    record = value if isinstance(value, dict) else {"x": value}
    assert all(isinstance(term, str) for term in terms(record))
    Filter(tenant="a", effect="deny", until_us=1).fits(record)


def test_the_index_follows_the_log_and_ends_with_its_parent(tmp_path: Path) -> None:
    """A process of its own takes what is new, begins before there is a log, and is gone when its input is closed."""
    log = tmp_path / "audit.db"
    program = [sys.executable, "-m", "gateway.audit.indexing"]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdin is not None
        process.stdin.write(base64.b64encode(pickle.dumps([Held(File(log), index_path(log))])) + b"\n")
        process.stdin.flush()
        write(tmp_path, [logs.record(Kind.REFUSAL, n) for n in range(10)])
        wait_for(lambda: indexed(tmp_path) == 10)
        write(tmp_path, [logs.record(Kind.REFUSAL, n) for n in range(10, 12)])
        wait_for(lambda: indexed(tmp_path) == 12)
        process.stdin.close()
        assert process.wait(90) == 0


def indexed(folder: Path) -> int:
    """How many records the index has now."""
    try:
        with place(folder) as where:
            return where.index.size if where.index else 0
    except StaleError:
        return 0


def run(folder: Path, *arguments: str) -> Result:
    """`brightline audit` on the log in `folder`."""
    where = ("--log", str(folder / "audit.db"), "--key", str(folder / "log.key.pub"))
    return CliRunner().invoke(trail, [*arguments, *where])


def test_a_search_is_printed_for_people_and_programs(folder: Path) -> None:
    """A page names each record by time, decision and place, and how to go on; JSON has the records whole."""
    told = run(folder, "search", "--tenant", "a", "--rule", "two", "--most", "3")
    assert told.exit_code == 0
    assert told.stdout.count("\n  by    a ") == 3
    asked = run(folder, "search", "--tenant", "a", "--rule", "two", "--most", "3", "--json")
    page = json.loads(asked.stdout)
    assert [r["record"]["principal"]["tenant"] for r in page["records"]] == ["a"] * 3
    assert f"--page {page['page']}" in told.stdout
    rest = json.loads(run(folder, "search", "--tenant", "a", "--rule", "two", "--json", "--page", page["page"]).stdout)
    assert rest["records"][0]["index"] < page["records"][-1]["index"]
    nothing = run(folder, "search", "--tenant", "nobody")
    assert (nothing.exit_code, nothing.stdout) == (1, "no record fits\n")


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (("--effect", "maybe"), "--effect maybe: is none of deny"),
        (("--kind", "prompt"), "--kind prompt: is none of start"),
        (("--outcome", "x"), "--outcome x: is none of"),
        (("--reason", "DENIED"), "--reason DENIED: is none of POLICY_DENIED"),
        (("--page", "zz"), "--page: is not what a search printed"),
        (("--page", b'{"a":Infinity}'.hex()), "--page: is not what a search printed"),
        (("--page", b'{"log.example/test":1000000000000000000000}'.hex()), "--page: is not what a search printed"),
        (("--page", (b"[" * 20_000).hex()), "--page: is not what a search printed"),
        (("--since", "yesterday"), "'yesterday' is no day or time in UTC, like 2026-11-30"),
        (("--until", "2026-11"), "'2026-11' is no day or time in UTC, like 2026-11-30"),
    ],
)
def test_what_no_record_has_is_bad_usage(folder: Path, options: tuple[str, str], what: str) -> None:
    """An option that can't fit anything names itself and what would."""
    told = run(folder, "search", *options)
    assert told.exit_code == 2
    assert what in " ".join(told.stderr.replace("│", " ").split())


def test_the_last_day_of_a_search_is_in_it(tmp_path: Path) -> None:
    """A day as the end includes that day, as in a report; a time as the end is the end itself."""
    day_us = 86_400_000_000
    midnight_us = logs.START_US // day_us * day_us + day_us - logs.START_US
    write(tmp_path, [logs.record(Kind.REFUSAL, n, after_us=midnight_us + t) for n, t in enumerate((-1, 0, day_us - 3))])
    first, second = (
        f"{datetime.fromtimestamp((logs.START_US + midnight_us) / 1e6 + d, UTC):%Y-%m-%d}" for d in (-1, 0)
    )

    def found(*options: str) -> list[int]:
        return [r["index"] for r in json.loads(run(tmp_path, "search", "--json", *options).stdout)["records"]]

    assert found("--until", first) == [0]
    assert found("--since", second, "--until", second) == [2, 1]
    assert found("--until", second) == found("--until", "9999-12-31") == [2, 1, 0]
    assert found("--until", f"{second}T00:00:00") == [0]


def test_the_index_is_made_by_command(tmp_path: Path) -> None:
    """It says how far it got; one that another process makes is left alone."""
    write(tmp_path, [logs.record(Kind.REFUSAL, n) for n in range(10)])
    for options in ((), ("--rebuild",)):
        made = run(tmp_path, "index", *options)
        assert (made.exit_code, made.stdout) == (0, f"indexed 10 records in {tmp_path}/audit.db.index\n")
    with reader.opened(tmp_path / "audit.db") as log, closing(Builder(index_path(tmp_path / "audit.db"), log)):
        assert "another process makes it" in run(tmp_path, "index").stderr
    assert run(tmp_path / "nothing", "index").exit_code == 2


async def test_a_gateway_that_writes_is_not_in_the_way(tmp_path: Path) -> None:
    """Beside an open log its records are found, the last ones too."""
    async with logs.opened(tmp_path) as log:
        decision = await logs.complete(log)
        assert await asyncio.to_thread(build, tmp_path) == 3
        later = await logs.complete(log)
        with place(tmp_path) as where:
            assert len(pages(where, Filter(decision_id=decision), 10)[0]) == 2
            assert [f.record["decision_id"] for f in search.page([where], Filter(kind="intent")).found] == [
                later,
                decision,
            ]


def test_no_search_reads_through_the_log_for_its_size(tmp_path: Path) -> None:
    """The ends of a log are looked up, however long it is."""
    write(tmp_path, [logs.record(Kind.REFUSAL, 1)])
    with logs.reading(tmp_path) as db:
        plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {database._ENDS}")]
    assert any(step.startswith("SEARCH entries") for step in plan)
    assert not any(step.startswith("SCAN entries") for step in plan)
