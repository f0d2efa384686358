"""The policy of the checkout, and copies of it for tests to break."""

from __future__ import annotations

import shutil
from pathlib import Path

from gateway.release import starter

ROOT = Path(__file__).parent.parent.parent
REGO = ROOT / "rego"
STARTER = starter()


def small(folder: Path) -> Path:
    """A copy of the policy with a single rule, for speed: rules/law/nuclear_employment_human."""

    def others(place: str, names: list[str]) -> set[str]:
        rest = {"agency", "red_line", "provider_baseline", "directive", "decision_test.rego", "facts_test.rego"}
        return {n for n in names if n in rest or (Path(place).name == "law" and n != "nuclear_employment_human")}

    rego = Path(shutil.copytree(REGO, folder / "rego", ignore=others))
    (rego / "brightline/decision_test.rego").write_text("package brightline_test\n\ntest_nothing := true\n")
    (rego / "brightline/facts/facts_test.rego").write_text("package brightline.facts_test\n\ntest_nothing := true\n")
    return rego


def edit(file: Path, old: str, new: str) -> None:
    """Replace every `old` in the file. It has to occur."""
    text = file.read_text()
    assert old in text, old
    file.write_text(text.replace(old, new))
