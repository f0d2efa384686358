"""What a gateway answers is believed as far as it proves it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest

from brightline import AuditClient, LogRecord, ProvedRecord
from brightline_verify.database import File
from brightline_verify.merkle import ProofError
from gateway.audit.show import show
from gateway.cli.log_or_gateway import Asked
from tests.support import logs

ASKED, OTHER = f"{3:032x}", f"{4:032x}"


@dataclass
class Answering:
    """A gateway that answers whatever it is told to."""

    records: tuple[ProvedRecord, ...]

    def prove(self, _decision_id: str) -> tuple[ProvedRecord, ...]:
        return self.records


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("log")
    logs.fill(made, 10)
    return made


def proved(folder: Path, decision_id: str, **changes: Any) -> tuple[ProvedRecord, ...]:
    """The records of a decision as a gateway sends them, with sound proofs."""
    found = show(File(folder / "audit.db"), logs.verifier(folder), decision_id)
    sent = [ProvedRecord(LogRecord(logs.ORIGIN, s.index, s.leaf), s.proof.text()) for s in found if s.proof]
    return tuple(replace(one, record=replace(one.record, **changes)) for one in sent)


def told(folder: Path, records: tuple[ProvedRecord, ...]) -> list[str]:
    """The decisions that are shown of that answer, to who asked for ASKED."""
    client = cast("AuditClient", Answering(records))
    return [one.record["decision_id"] for one in Asked(client, logs.verifier(folder)).proved(ASKED)]


def test_a_gateway_that_answers_with_other_records_is_not_believed(folder: Path) -> None:
    """Neither another decision's records, however well proved, nor none, nor one in another place is shown."""
    assert told(folder, proved(folder, ASKED)) == [ASKED]
    unproved = tuple(replace(one, proof=b"") for one in proved(folder, OTHER))
    moved = proved(folder, ASKED, index=9)
    wrong = [proved(folder, OTHER), unproved, (*proved(folder, ASKED), *proved(folder, OTHER)), moved, ()]
    for records in wrong:
        with pytest.raises(ProofError):
            told(folder, records)


@pytest.mark.parametrize("leaf", [b"", b"null", b"[]", b"\xff", b"{}"])
def test_what_is_no_record_is_not_shown(folder: Path, leaf: bytes) -> None:
    """Bytes that are no record of the decision are an error of the gateway's."""
    with pytest.raises(ProofError):
        told(folder, tuple(replace(one, proof=b"") for one in proved(folder, ASKED, json=leaf)))
