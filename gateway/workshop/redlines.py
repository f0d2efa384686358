"""Finds the red lines that a release may loosen.

A signer has to confirm each by name; a general consent does not count.

1 the red line's own text was changed or removed
2 a signal that it uses needs a higher score
3 in the computed effect it no longer refuses something that it refused
4 shared text that all red lines depend on was changed, so each may be looser

A file whose package differs from its folder could add to any package. It counts as shared text, wherever it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from gateway.canonical import Json, NotCanonicalError, parse
from gateway.release.documents import DATA, SOURCES
from gateway.workshop.layout import keeps_to_its_folder

_OWN: Final = re.compile(r"rego/brightline/rules/red_line/([a-z0-9_]+)/.*\.rego")
_OTHERS: Final = re.compile(r"rego/brightline/(rules|agency)/.*")
_SIGNAL: Final = re.compile(r"\bsignals\.([a-z0-9_]+)")
_SCORES: Final = ("thresholds", "tenant_thresholds")
_NEVER: Final = 1 << 60
"""A score that no content reaches."""


def looser(before: Mapping[str, bytes], after: Mapping[str, bytes], effect: Mapping[str, Any]) -> dict[str, str]:
    """The red lines of `before` that `after` may loosen, each with the reason. effect: the computed effect.

    before, after: the files of the releases.
    """
    found: dict[str, str] = {}
    changed = list(_changed(before, after))
    shared = sorted(name for name in changed if _shared(name, before) or _shared(name, after))
    own = {line[1] for line in map(_OWN.fullmatch, changed) if line}
    higher = set(_higher(_data(before), _data(after)))
    freed = {row["id"]: row["looser"] for row in effect.get("rules", []) if row["looser"]}
    for ident, text in sorted(_red_lines(before).items()):
        minds = sorted(set(_SIGNAL.findall(text)) & higher)
        if ident in own:  # 1
            found[ident] = "it reads differently, or is gone"
        elif minds:  # 2
            found[ident] = f"what it minds needs a higher score: {', '.join(minds)}"
        elif ident in freed:  # 3
            found[ident] = f"it no longer refuses {freed[ident]} of what it refused"
        elif shared:  # 4
            found[ident] = f"it rests on what reads differently: {', '.join(shared[:3])}"
    return found


def _red_lines(files: Mapping[str, bytes]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for name, raw in files.items():
        if own := _OWN.fullmatch(name):
            texts[own[1]] = texts.get(own[1], "") + raw.decode(errors="replace")
    return texts


def _changed(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> Iterator[str]:
    """Rego files that were changed, removed or added."""
    return (name for name in {*before, *after} if name.endswith(".rego") and before.get(name) != after.get(name))


def _shared(name: str, files: Mapping[str, bytes]) -> bool:
    if name not in files:
        return False
    return not (_OTHERS.fullmatch(name) and keeps_to_its_folder(name.removeprefix(SOURCES), files[name]))


def _higher(old: Mapping[str, Json], new: Mapping[str, Json]) -> Iterator[str]:
    """Signals whose threshold rose for any tenant. A threshold that is no number counts as never reached."""
    was, now = dict(_scores(old)), dict(_scores(new))
    for path in {*was, *now}:
        general = was.get(("thresholds", path[-1]), 0), now.get(("thresholds", path[-1]), _NEVER)
        if now.get(path, general[1]) > was.get(path, general[0]):
            yield path[-1]


def _scores(data: Mapping[str, Json], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], int]]:
    for key in sorted(data):
        value = data[key]
        if isinstance(value, Mapping):
            yield from _scores(value, (*path, key))
        else:
            yield (*path, key), value if isinstance(value, int) else _NEVER


def _data(files: Mapping[str, bytes]) -> Mapping[str, Json]:
    """The thresholds; empty if the data can't be read, in which case no gateway loads the release."""
    try:
        value: Any = parse(files[DATA])
        policy = value["brightline"]
        return {name: policy[name] for name in _SCORES if isinstance(policy.get(name), Mapping)}
    except (KeyError, TypeError, AttributeError, NotCanonicalError):
        return {}
