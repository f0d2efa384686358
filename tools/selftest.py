"""Makes the self-test that travels with the starter policy, gateway/assets/vectors.json, from tests/vectors.

With --check it writes nothing, and fails when what is committed is not what tests/vectors says.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from gateway.canonical import canonical

ROOT = Path(__file__).parent.parent
VECTORS = ROOT / "tests/vectors"
MADE = ROOT / "gateway/assets/vectors.json"


def main() -> int:
    """Run as the module's text says; returns the exit code."""
    described: dict[str, Any] = json.loads((VECTORS / "bases.json").read_bytes())

    def whole(name: str) -> Any:
        base = described[name]
        return base["input"] if "input" in base else merged(whole(base["base"]), base["set"])

    lines = [json.loads(line) for path in sorted(VECTORS.glob("*.jsonl")) for line in path.read_bytes().splitlines()]
    kept = ("id", "base", "set", "without", "effect", "rules")
    vectors = [{key: line[key] for key in kept if key in line} for line in lines]
    made = canonical({"bases": {name: whole(name) for name in described}, "vectors": vectors}) + b"\n"
    if "--check" not in sys.argv[1:]:
        MADE.write_bytes(made)
    elif not MADE.exists() or MADE.read_bytes() != made:
        print(f"{MADE.relative_to(ROOT)}: is not what tests/vectors says; run: make starter", file=sys.stderr)
        return 1
    return 0


def merged(old: Any, new: Any) -> Any:
    """Objects merged, anything else replaced."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    return old | {key: merged(old.get(key), value) for key, value in new.items()}


if __name__ == "__main__":
    sys.exit(main())
