"""Lists the changes between two releases in plain language, looser ones first.

A change that can't be shown to be stricter counts as looser, so that nobody signs a loosening unawares. The effect of
changed rules is computed: see effect.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from gateway.canonical import Json
from gateway.release.documents import SOURCES
from gateway.release.grants import freed
from gateway.types import Change, Model, Price, Release, Tenant
from gateway.workshop.effect import no_longer_asked
from gateway.workshop.layout import keeps_to_its_folder

LOOSER: Final = "looser"
CHANGED: Final = "changed"
STRICTER: Final = "stricter"
ORDER: Final = (LOOSER, CHANGED, STRICTER)

_RULE: Final = re.compile(r"rego/brightline/rules/([a-z_]+)/([a-z0-9_]+)/\2\.rego")
_OWN: Final = re.compile(r"rego/brightline/agency/([a-z0-9_]+)/")
SIGNERS: Final = "signers"
"""The audience of changes to policy data. The data includes thresholds, which callers are never told."""
_MANY: Final = 12
"""The maximum number of names or values in a sentence."""


def changes(old: Release | None, new: Release, before: Mapping[str, bytes], after: Mapping[str, bytes]) -> list[Change]:
    """All changes. before, after: the files of both releases, by name. old: None for the first release."""
    found = [
        *_named("tenant", old.tenants if old else {}, new.tenants, _tenant),
        *_named("model", old.models if old else {}, new.models, _model),
        *_rules(before, after),
        *_data(old.data if old else {}, new.data),
        *_self_test(old, new),
    ]
    return sorted(found, key=lambda change: ORDER.index(change.direction))


def _named(kind: str, old: Mapping[str, Any], new: Mapping[str, Any], compare: Any) -> Iterator[Change]:
    for name in sorted({*old, *new}):
        if name not in old:
            yield Change(LOOSER, f"{kind} {name} is added", f"{kind} {name}")
        elif name not in new:
            yield Change(STRICTER, f"{kind} {name} is removed", f"{kind} {name}")
        elif old[name] != new[name]:
            for direction, text in compare(old[name], new[name]):
                yield Change(direction, f"{kind} {name}: {text}", f"{kind} {name}")


def _tenant(old: Tenant, new: Tenant) -> Iterator[tuple[str, str]]:
    yield from _members("certificate", old.certificates, new.certificates, LOOSER)
    yield from _quotas(old.quotas, new.quotas)
    was, now = dict(old.attributes), dict(new.attributes)
    for key, kind in (("purposes", "purpose"), ("models", "model")):
        yield from _members(kind, was.pop(key, []), now.pop(key, []), LOOSER)
    yield from _members("rule of its own choice", was.pop("rules", []), now.pop("rules", []), STRICTER)
    yield from _grants(was.pop("grants", []), now.pop("grants", []))
    policy = str(was.pop("policy", "")), str(now.pop("policy", ""))
    if policy[0] != policy[1]:
        direction = STRICTER if not policy[0] else LOOSER
        yield direction, f"its own policy is {policy[1] or 'none'}, it was {policy[0] or 'none'}"
    yield from _others(was, now)


def _quotas(old: Mapping[str, int], new: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    for name in sorted({*old, *new}):
        was, now = old.get(name), new.get(name)
        if was != now:
            less = now is not None and (was is None or now < was)
            unbounded = "not bounded"
            yield STRICTER if less else LOOSER, f"{name} is {now or unbounded}, it was {was or unbounded}"


def _grants(old: Any, new: Any) -> Iterator[tuple[str, str]]:
    was, now = {grant["id"]: grant for grant in old}, {grant["id"]: grant for grant in new}
    for name in sorted({*was, *now}):
        if name not in now:
            kept = any(freed(grant, was[name]) for grant in now.values())
            words = ", and a use that another relaxes, too, is freed of its conditions" if kept else ""
            yield LOOSER if kept else STRICTER, f"grant {name} ({was[name]['rule']}) is taken back{words}"
        elif was.get(name) != now[name]:
            grant = now[name]
            word = "changed" if name in was else "given"
            purposes = ", ".join(grant["purposes"])
            yield LOOSER, f"grant {name} is {word}: relaxes {grant['rule']} for {purposes}, by {grant['addendum']}"


def _model(old: Model, new: Model) -> Iterator[tuple[str, str]]:
    for name in ("upstream", "upstream_model"):
        if getattr(old, name) != getattr(new, name):
            yield LOOSER, f"{name} is {getattr(new, name)}, it was {getattr(old, name)}"
    if old.price != new.price:
        yield from _price(old.price, new.price)
    if old.description != new.description:
        yield CHANGED, "its description is another"
    was, now = dict(old.attributes), dict(new.attributes)
    yield from _members("required safeguard", was.pop("safeguards", []), now.pop("safeguards", []), STRICTER)
    yield from _members("enclave", was.pop("enclaves", []), now.pop("enclaves", []), LOOSER)
    report: tuple[Any, Any] = was.pop("report", {}), now.pop("report", {})
    if report[0] != report[1]:
        sooner = {**report[0], "expires": 0} == {**report[1], "expires": 0} and report[1]["expires"] < report[0][
            "expires"
        ]
        says = f"its report is {report[1].get('reference')} and expires at {report[1].get('expires')}"
        yield STRICTER if sooner else LOOSER, f"{says}, it was {report[0].get('reference')}, {report[0].get('expires')}"
    ends: tuple[Any, Any] = was.pop("expires", 0), now.pop("expires", 0)
    if ends[0] != ends[1]:
        yield STRICTER if ends[1] < ends[0] else LOOSER, f"it expires at {ends[1]}, it was {ends[0]}"
    yield from _others(was, now)


def _price(old: Price | None, new: Price | None) -> Iterator[tuple[str, str]]:
    """A lower price counts as looser, because tenants can ask for more."""
    dearer = old and new and new.million_bytes >= old.million_bytes and new.million_tokens >= old.million_tokens
    yield STRICTER if dearer else LOOSER, f"its price is {_asked(new)}, it was {_asked(old)}"


def _asked(price: Price | None) -> str:
    if price is None:
        return "none"
    return f"{price.million_bytes} for a million bytes and {price.million_tokens} for a million tokens"


def _members(kind: str, old: Any, new: Any, more: str) -> Iterator[tuple[str, str]]:
    fewer = STRICTER if more == LOOSER else LOOSER
    if added := sorted(set(new) - set(old)):
        yield more, f"{kind} added: {_list(added)}"
    if gone := sorted(set(old) - set(new)):
        yield fewer, f"{kind} removed: {_list(gone)}"


def _others(was: Mapping[str, Json], now: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    for key in sorted({*was, *now}):
        if was.get(key) != now.get(key):
            yield LOOSER, f"{key} is {_value(now.get(key))}, it was {_value(was.get(key))}"


def _rules(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> Iterator[Change]:
    for name in sorted({*before, *after}):
        if before.get(name) == after.get(name) or not name.endswith(".rego"):
            continue
        rule = _RULE.fullmatch(name)
        path = name.removeprefix(SOURCES)
        what = f"rule {rule[2]} ({rule[1]})" if rule else f"policy file {path}"
        own = _OWN.match(name)
        about = f"agency {own[1]}" if own else ""
        if name in after and not keeps_to_its_folder(path, after[name]):
            yield Change(LOOSER, f"policy file {path} is not of the package of its folder, and may change any rule", "")
        elif name not in before:
            yield Change(STRICTER if rule and before else CHANGED, f"{what} is added", about)
        elif name not in after:
            yield Change(LOOSER, f"{what} is removed", about)
        else:
            yield Change(CHANGED, f"{what} reads differently", about)


def _data(old: Mapping[str, Json], new: Mapping[str, Json]) -> Iterator[Change]:
    was = dict(_leaves("", {key: value for key, value in old.items() if key != "release"}))
    now = dict(_leaves("", {key: value for key, value in new.items() if key != "release"}))
    if not old:
        return
    for path in sorted({*was, *now}):
        if was.get(path) != now.get(path):
            text = f"policy data {path} is {_value(now.get(path))}, it was {_value(was.get(path))}"
            yield Change(CHANGED, text, SIGNERS)


def _self_test(old: Release | None, new: Release) -> Iterator[Change]:
    """Changes of the self-test. An input that is removed would not be compared at the next release either."""
    if old and (gone := no_longer_asked(old, new)):
        text = f"self-test: {len(gone)} of {len(old.checks)} inputs are gone or others: {_list(c.id for c in gone)}"
        yield Change(LOOSER, text, SIGNERS)


def _leaves(path: str, value: Json) -> Iterator[tuple[str, Json]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _leaves(f"{path}.{key}" if path else key, inner)
    else:
        yield path, value


def _value(value: Json) -> str:
    if value is None:
        return "not there"
    if isinstance(value, list | tuple):
        return _list([str(item) for item in value])
    return str(value)


def _list(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - _MANY} more" if len(names) > _MANY else ""
    return ", ".join(names[:_MANY]) + more
