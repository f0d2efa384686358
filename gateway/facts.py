"""Gathers the facts of a request (step 2). Attributes of tenant and model come from the release, never the request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from gateway import effectors, marking
from gateway.canonical import Json, Written
from gateway.errors import StartError
from gateway.types import Document, Facts, Principal, Prompt, Release, Tenant, Tool, ceilings


@dataclass(frozen=True, slots=True)
class Attributes:
    """The attributes of tenants and models in a release, as rules see them. Prepared once, looked up per request."""

    release: Release
    tenants: Mapping[str, Mapping[str, Json]]
    models: Mapping[str, Mapping[str, Json]]
    enclave: Mapping[str, Json]
    stated: Mapping[str, Json]
    """Facts about the release itself."""


class _Tenants(Mapping[str, Mapping[str, Json]]):
    """The attributes of tenants, each prepared at its first call: a release may have ten thousand, and few call.

    All ceilings are checked beforehand, so that no lookup fails later. Raises StartError.
    """

    def __init__(self, tenants: Mapping[str, Tenant]) -> None:
        for banner, name in ceilings(tenants).items():
            _ceiling(f"tenants.json: {name}: marking_ceiling", banner)
        self._tenants = tenants
        self._made: dict[str, Mapping[str, Json]] = {}

    def __getitem__(self, name: str) -> Mapping[str, Json]:
        made = self._made.get(name)
        if made is None:
            attributes = self._tenants[name].attributes
            made = self._made[name] = _attributes(f"tenants.json: {name}", attributes, name)
        return made

    def __iter__(self) -> Iterator[str]:
        return iter(self._tenants)

    def __len__(self) -> int:
        return len(self._tenants)


def prepare(release: Release, ceiling: str, enclave: str) -> Attributes:
    """The attributes, with ceilings parsed. Raises StartError that names the ceiling at fault and the problem.

    ceiling, enclave: the enclave's ceiling and name, from the configuration.
    """
    return Attributes(
        release,
        _Tenants(release.tenants),
        {i: _attributes(f"models.json: {i}", m.attributes, i) for i, m in release.models.items()},
        Written({"name": enclave, "marking_ceiling": _ceiling("marking_ceiling", ceiling)}),
        Written({"digest": release.digest, "version": release.version, "signers": list(release.signers)}),
    )


def gather(
    attributes: Attributes,
    principal: Principal,
    prompt: Prompt,
    judged: Iterable[str],
    now_us: int,
    *,
    audit_ready: bool,
) -> Facts:
    """The decision input without signals. An unknown model is null, and a rule refuses it.

    judged: the texts of the prompt as detectors read them. audit_ready: whether the log can make a record durable now.
    """
    release, use, tenant = attributes.release, prompt.use, attributes.tenants[principal.tenant]
    documents = [p for m in prompt.messages for p in m.parts if isinstance(p, Document)]
    declared = [str(use["marking"]), *(d.marking or str(use["marking"]) for d in documents)]
    banners = [*declared, *_borne(judged, declared)]
    return Facts(
        {
            "stage": "request",
            "principal": Written(
                {
                    "subject": principal.subject,
                    "client_id": principal.client_id,
                    "roles": list(principal.roles),
                    "certificate": principal.certificate_name,
                }
            ),
            "tenant": tenant,
            "request": Written(
                {
                    "purpose": use["purpose"],
                    "authority": use["authority"],
                    "marking": _marking(banners[0]),
                    "documents": [_marking(banner) for banner in banners[1:]],
                    "output_marking": _output_marking(set(banners)),
                    "tools": [tool_facts(tool) for tool in prompt.tools],
                    "autonomy": use["autonomy"],
                    "approval": None,
                    "evidence": use["evidence"],
                    "us_person": use["us_person"],
                    "geo": use["geo"],
                    "volume": use["volume"],
                    "data_origin": use["data_origin"],
                    "channel": use["channel"],
                    "max_tokens": prompt.max_tokens,
                    "model": prompt.model,
                }
            ),
            "model": attributes.models.get(prompt.model),
            "enclave": attributes.enclave,
            "signals": {},
            "safeguards": {},
            "audit": {"ready": audit_ready},
            "release": attributes.stated,
            "now": now_us // 1000,
        },
        release.models.get(prompt.model),
        "; ".join(filter(None, (_remark_of_purpose(use, tenant), _remark(declared), _remark_of_tools(prompt.tools)))),
    )


def tool_facts(tool: Tool) -> Mapping[str, Json]:
    """A tool as rules see it."""
    return {"name": tool.name, "effector": tool.effector, "apparent": tool.apparent}


def approved(known: Facts, approval: Mapping[str, Json]) -> Facts:
    """The facts with an approval that was looked up and fits this request."""
    request = Written({**known.request, "approval": approval})
    return replace(known, input=Written({**known.input, "request": request}))


def routed(attributes: Attributes, known: Facts, model: str) -> Facts:
    """The facts with `model` in place of the requested model."""
    changed: dict[str, Json] = {
        "request": Written({**known.request, "model": model}),
        "model": attributes.models.get(model),
    }
    return replace(known, input=Written({**known.input, **changed}), model=attributes.release.models.get(model))


# Callers repeat banners, so parsed banners are cached, within bounds. The cached values must not be changed.

_MOST = 64
"""The most different banners in the content of a request."""
_MARKS = 1024
"""The most different candidates for banners there. Parsing takes microseconds each and blocks every other call."""
_FEW = 4
"""Results for requests with more banners than this are not cached, because they could fill the memory."""


@lru_cache(maxsize=1024)
def _marking(banner: str) -> Json:
    parsed = marking.parse(banner)
    return None if parsed is None else marking.facts(parsed)


def _borne(judged: Iterable[str], declared: list[str]) -> list[str]:
    """The distinct banners in the content. Beyond the limits, one empty banner, which is not understood and refused."""
    marks = {mark for text in judged if text not in declared for mark in marking.marks(text)}
    if len(marks) > _MARKS:
        return [""]
    found = {marking.write(borne) for borne in map(marking.said, marks) if borne is not None}
    return sorted(found) if len(found) <= _MOST else [""]


def _remark(banners: list[str]) -> str:
    """The problem with the first banner that can't be parsed: of the request, then of the documents, from 1."""
    number, wrong = next(((n, b) for n, b in enumerate(banners) if _marking(b) is None), (0, None))
    if wrong is None:
        return ""
    return f"{f'marking of document {number}' if number else 'use.marking'}: {marking.explain(wrong)}"


def _remark_of_purpose(use: Mapping[str, Json], tenant: Mapping[str, Json]) -> str:
    """A remark on a purpose that the tenant does not have: rules can't tell what it is for, so many refuse it."""
    agreed = tenant.get("purposes")
    if not isinstance(agreed, list | tuple) or use["purpose"] in agreed:
        return ""
    return "use.purpose: is none of the purposes agreed for the tenant; GetInForce lists them (brightline in-force)"


def _remark_of_tools(tools: Iterable[Tool]) -> str:
    """A remark on the first tool, counted from 1, whose text describes a graver effector than it declares."""
    for number, tool in enumerate(tools, 1):
        if graver := effectors.beyond(tool):
            return f"tool {number} is described as one with the effector {graver}, and counts as that, too"
    return ""


def _output_marking(banners: set[str]) -> Json:
    """The marking of output made from this content; null if a banner can't be parsed, or no marking covers them all."""
    return _remembered(frozenset(banners)) if len(banners) <= _FEW else _highest(frozenset(banners))


def _highest(banners: frozenset[str]) -> Json:
    parsed = [marking.parse(banner) for banner in banners]
    understood = [p for p in parsed if p is not None]
    highest = marking.highest(understood) if len(understood) == len(parsed) else None
    return None if highest is None else {"banner": marking.write(highest), **marking.facts(highest)}


_remembered = lru_cache(maxsize=1024)(_highest)


def _attributes(where: str, attributes: Mapping[str, Json], identifier: str) -> Mapping[str, Json]:
    ceiling = _ceiling(f"{where}: marking_ceiling", str(attributes.get("marking_ceiling", "")))
    return Written({**attributes, "marking_ceiling": ceiling, "id": identifier})


def _ceiling(where: str, banner: str) -> Json:
    wrong = marking.explain(banner)
    if wrong:
        raise StartError(f'{where}: "{banner}" is not a banner line: {wrong}')
    return _marking(banner)
