"""Step 2: the facts of a request. Attributes of tenant and model come from the release, never from the request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway import marking
from gateway.canonical import Json
from gateway.errors import StartError
from gateway.types import Document, Facts, Principal, Prompt, Release


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a release says of tenants and models, as rules see it. Prepared once, looked up for each request."""

    release: Release
    tenants: Mapping[str, Mapping[str, Json]]
    models: Mapping[str, Mapping[str, Json]]


def prepare(release: Release) -> Attributes:
    """The attributes with their ceilings parsed. Raises StartError that names a ceiling which is no banner line."""
    return Attributes(
        release,
        {i: {**_attributes(f"tenants.json: {i}", t.attributes), "id": i} for i, t in release.tenants.items()},
        {i: {**_attributes(f"models.json: {i}", m.attributes), "id": i} for i, m in release.models.items()},
    )


def gather(attributes: Attributes, principal: Principal, prompt: Prompt, now_us: int, *, audit_ready: bool) -> Facts:
    """The decision input without signals. An unknown model is null; a rule refuses it.

    audit_ready: whether a record can be made durable now.
    """
    release, use = attributes.release, prompt.use
    documents = [p for m in prompt.messages for p in m.parts if isinstance(p, Document)]
    return Facts(
        {
            "stage": "request",
            "principal": {
                "subject": principal.subject,
                "client_id": principal.client_id,
                "roles": list(principal.roles),
                "certificate": principal.certificate_name,
            },
            "tenant": attributes.tenants[principal.tenant],
            "request": {
                "purpose": use["purpose"],
                "authority": use["authority"],
                "marking": _marking(use["marking"]),
                "documents": [_marking(d.marking or use["marking"]) for d in documents],
                "tools": [{"name": t.name, "effector": t.effector} for t in prompt.tools],
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
            },
            "model": attributes.models.get(prompt.model),
            "signals": {},
            "safeguards": [],
            "audit": {"ready": audit_ready},
            "release": {"digest": release.digest, "version": release.version, "signers": list(release.signers)},
            "now": now_us // 1000,
        },
        release.models.get(prompt.model),
    )


def routed(attributes: Attributes, known: Facts, model: str) -> Facts:
    """The same facts for another model than the one that was asked for."""
    request = known.input["request"]
    if not isinstance(request, Mapping):
        raise TypeError("request facts are an object")
    changed: dict[str, Json] = {"request": {**request, "model": model}, "model": attributes.models.get(model)}
    return Facts({**known.input, **changed}, attributes.release.models.get(model))


def _marking(banner: Json) -> Json:
    parsed = marking.parse(str(banner))
    return None if parsed is None else marking.facts(parsed)


def _attributes(where: str, attributes: Mapping[str, Json]) -> Mapping[str, Json]:
    ceiling = _marking(attributes.get("marking_ceiling", ""))
    if ceiling is None:
        raise StartError(f'{where}: marking_ceiling is not a banner line; write for example "SECRET//NOFORN"')
    return {**attributes, "marking_ceiling": ceiling}
