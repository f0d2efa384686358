"""`brightline signals`: scores of texts by the detectors, and measurements of the detectors' accuracy."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel, ConfigDict, ValidationError
from rich.console import Console
from rich.table import Table

from gateway import atomic_files
from gateway.errors import StartError
from gateway.measuring import corpus, figures
from gateway.measuring.choosing import choose
from gateway.measuring.evasions import evaded
from gateway.measuring.page import page
from gateway.measuring.scoring import Scored, score
from gateway.signals import Detectors

Lexical = Annotated[bool, typer.Option("--lexical", help="Without the learned detector.")]


class Kind(StrEnum):
    """The kinds of tenants in a release."""

    CIVIL = "civil"
    DOD = "dod"
    INTELLIGENCE = "intelligence"
    LAW_ENFORCEMENT = "law_enforcement"


class Given(BaseModel):
    """A line to score."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)
    id: str
    text: str


def score_(
    file: Annotated[Path, typer.Argument(help='Lines of {"id", "text"}; - is standard input.')],
    lexical: Lexical = False,
) -> None:
    """Score each line: {"id", "signals": [{name, score, version}], "effect", "rules"}, by the development policy.

    The declared use is a civil office's own work, against which no rule speaks. A score of null means that the text
    can't be read. If any line is invalid, nothing is scored and the exit code is 2.
    """
    for scored in score([(line.id, line.text) for line in _lines(file)], _detectors(lexical)):
        typer.echo(json.dumps(_as_json(scored)))


def explain(text: Annotated[str, typer.Argument(help="The text.")]) -> None:
    """Show the scores of a text by each detector, highest first, and the decision."""
    plain, both = (next(score([("text", text)], _detectors(lexical))) for lexical in (True, False))
    before = {reading.name: reading.score for reading in plain.readings}
    table = Table("signal", "lexical", "with the learned detector", box=None)
    for reading in sorted(both.readings, key=lambda r: -(1001 if r.score is None else r.score)):
        table.add_row(reading.name, _shown(before[reading.name]), _shown(reading.score))
    console = Console(highlight=False)
    console.print(table)
    console.print(f"{both.effect.name.lower()} {' '.join(both.rules)}", markup=False)


def evaluate(
    corpus_: Annotated[Path, typer.Option("--corpus", help="A file or a folder of labelled texts.")] = Path(
        "detectors/corpus"
    ),
    *,
    split: Annotated[str, typer.Option(help="train, validation, test, or all of it.")] = "test",
    curve: Annotated[bool, typer.Option(help="Also what each limit would refuse: to choose thresholds by.")] = False,
    evasions: Annotated[
        bool, typer.Option(help="Also the restricted English texts, disguised in each way that the gateway undoes.")
    ] = False,
    lexical: Lexical = False,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    html: Annotated[Path | None, typer.Option(help="Also write a page with plots to this file.")] = None,
) -> None:
    """Measure on labelled text: what is refused at all, each category's precision, recall and F1, and each language.

    Intervals are Wilson's, 95 %. An unreadable text is refused, and counts as refused; the figures of categories leave
    it out.
    """
    texts = _of(corpus_, split)
    detectors = _detectors(lexical)
    made = score([(text.id, text.text) for text in texts], detectors)
    judged = [*zip(texts, made, strict=True)]
    found: dict[str, Any] = {"split": split, **figures.figures(judged)}
    points = figures.curve(judged) if curve or html else []
    if curve:
        found["curve"] = points
    if evasions:
        restricted = [text for text in texts if text.labels and text.lang == "en"]
        found["evasions"] = evaded(restricted, lambda some: [s.refused for s in score(some, detectors)])
    if html:
        _write(html, page(found, points))
    if json_:
        typer.echo(json.dumps(found, indent=2))
    else:
        _print(Console(highlight=False), found)


def thresholds(
    corpus_: Annotated[Path, typer.Option("--corpus", help="A file or a folder of labelled texts.")] = Path(
        "detectors/corpus"
    ),
    *,
    split: Annotated[str, typer.Option(help="train, validation, test, or all of it.")] = "validation",
    hard: Annotated[float, typer.Option(help="Hard negatives that it may refuse, per cent.", min=0, max=100)] = 0.5,
    ordinary: Annotated[float, typer.Option(help="Ordinary texts that it may refuse, per cent.", min=0, max=100)] = 0.1,
    kind: Annotated[Kind | None, typer.Option(help="Of this kind of tenants alone, whose texts these are.")] = None,
    lexical: Lexical = False,
) -> None:
    """Choose thresholds: print each category's trade-off curve, and the lowest permissible thresholds, as YAML.

    A threshold is permissible if the category refuses no more than its share of harmless texts. Copy the lines into
    brightline/thresholds or, with a kind, into brightline/tenant_thresholds; no file is written. A category without a
    good enough threshold is named.
    """
    texts = _of(corpus_, split)
    judged = [*zip(texts, score([(text.id, text.text) for text in texts], _detectors(lexical)), strict=True)]
    choices = choose(judged, hard / 100, ordinary / 100)
    if not choices:
        raise StartError(f"{corpus_}: no text that can be read has a label; limits are chosen by such texts")
    where, indent = ("tenant_thresholds", "  ") if kind else ("thresholds", "")
    for choice in choices:
        typer.echo(f"# {choice.category}: {choice.of} texts; limit: found, hard negatives, ordinary")
        for at in choice.curve:
            mark = "  <-" if at.limit == choice.limit else ""
            typer.echo(f"#   {at.limit:4}: {at.found:6.1%} {at.hard:6.1%} {at.ordinary:6.1%}{mark}")
    typer.echo(f"# for rego/brightline/{where}/data.yaml, of {len(texts)} texts of the split {split}")
    if kind:
        typer.echo(f"{kind.value}:")
    for choice in choices:
        limit = "# no limit refuses as little as that" if choice.limit is None else str(choice.limit)
        typer.echo(f"{indent}{'# ' if choice.limit is None else ''}{choice.category}: {limit}")


def _write(file: Path, text: str) -> None:
    try:
        atomic_files.replace(file, text.encode())
    except OSError as error:
        raise StartError(f"{file}: can't be written: {error.strerror}; name a file in a folder that is there") from None


def _of(place: Path, split: str) -> list[corpus.Text]:
    """The texts of a split. Raises StartError if there are none."""
    texts = corpus.read(place)
    if split != "all":
        if split not in corpus.SPLITS:
            raise typer.BadParameter("is train, validation, test or all", param_hint="--split")
        texts = corpus.split(texts)[split]
    if not texts:
        raise StartError(f"{place}: the split {split} has no texts")
    return texts


def _detectors(lexical: bool) -> Detectors:
    if lexical:
        return Detectors(deadline_ms=60_000)
    from gateway.signals import learned  # noqa: PLC0415 - NumPy takes time to import, which other commands save

    return Detectors(learned=learned.load(), deadline_ms=60_000)


def _lines(file: Path) -> list[Given]:
    try:
        data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise StartError(f"{file}: cannot be read: {error.strerror}") from None
    found = []
    for number, row in enumerate(data.splitlines(), start=1):
        try:
            found.append(Given.model_validate_json(row))
        except ValidationError:
            raise StartError(
                f'{file}:{number}: is no line; a line is {{"id": "a", "text": "…"}}, strings both'
            ) from None
    return found


def _as_json(scored: Scored) -> dict[str, Any]:
    signals = [{"name": r.name, "score": r.score, "version": r.version} for r in scored.readings]
    return {"id": scored.id, "signals": signals, "effect": scored.effect.name.lower(), "rules": list(scored.rules)}


def _shown(number: int | None) -> str:
    return "unavailable" if number is None else str(number)


def _print(console: Console, found: dict[str, Any]) -> None:
    console.print(f"{found['texts']} texts of the split {found['split']}", markup=False)
    table = Table("refused", "restricted", "hard negatives", "ordinary", box=None)
    for name, row in {"all": found["refused"], **found["languages"]}.items():
        table.add_row(name, *(_percent(row[kind]) for kind in ("restricted", "hard", "ordinary")))
    console.print(table)
    table = Table("category", "precision", "recall", "F1", box=None)
    for name, row in found["categories"].items():
        f1 = "" if row["f1"] is None else f"{row['f1']:.2f}"
        table.add_row(name, _percent(row["precision"]), _percent(row["recall"]), f1)
    console.print(table)
    if "evasions" in found:
        _print_evasions(console, found["evasions"])
    for row in found.get("curve", ()):
        shares = ", ".join(
            f"{name} {100 * row[name]:.1f} %" for name in row if name != "limit" and row[name] is not None
        )
        console.print(f"limit {row['limit']}: {shares}", markup=False)


def _print_evasions(console: Console, found: dict[str, Any]) -> None:
    table = Table("restricted, English, disguised", "refused", "points lost", box=None)
    table.add_row("as written", _percent(found["restricted"]), "")
    for name, row in found["ways"].items():
        table.add_row(name, _percent(row), "" if row["lost"] is None else f"{row['lost']:.1f}")
    console.print(table)


def _percent(row: dict[str, Any]) -> str:
    return f"{100 * row['share']:.1f} % ({100 * row['low']:.1f} to {100 * row['high']:.1f})" if row["of"] else "none"
