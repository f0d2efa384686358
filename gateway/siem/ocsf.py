"""Records as events of the Open Cybersecurity Schema Framework, version 1.8.0.

A record of a call is API Activity (class 6003) with the profile security_control: who called which operation from
where, what a control decided, and by which policy. No narrower class fits: Authorize Session concerns privileges of a
session, and findings concern conclusions of detection products. Starts, stops and releases are Application Lifecycle
(6002). Everything else is a Base Event (0), with the record's own fields in `unmapped`.
"""

from __future__ import annotations

import hashlib
from importlib.metadata import version as installed
from typing import Any, Final

from brightline_verify.record import Kind, Outcome
from gateway.canonical import Json
from gateway.errors import Reason
from gateway.siem.event import SYSTEM, Event, Severity, parted

VERSION: Final = "1.8.0"
API_ACTIVITY, LIFECYCLE, BASE = 6003, 6002, 0

_CATEGORY: Final = {API_ACTIVITY: 6, LIFECYCLE: 6, BASE: 0}
_READ, _OTHER = 2, 99
_LIFECYCLE: Final = {Kind.START: (3, "Start"), Kind.STOP: (4, "Stop"), Kind.RELEASE: (8, "Update")}
_SUCCESS, _FAILURE = 1, 2
_ALLOWED, _DENIED = 1, 2
_BLOCKED, _UNAUTHORIZED, _FAULT = 2, 26, 27
_SHA_256: Final = 3
_IDENTITY: Final = frozenset(
    {
        Reason.CERTIFICATE_INVALID,
        Reason.TENANT_UNKNOWN,
        Reason.TOKEN_MISSING,
        Reason.TOKEN_INVALID,
        Reason.TOKEN_EXPIRED,
        Reason.CREDENTIAL_REVOKED,
        Reason.TOKEN_NOT_BOUND,
        Reason.TENANT_MISMATCH,
        Reason.TOKEN_REPLAYED,
    }
)


def event(of: Event) -> dict[str, Any]:
    """The OCSF event of a record."""
    made = _base(of)
    if of.kind in SYSTEM:
        activity, name = _LIFECYCLE[Kind(of.kind)]
        made |= _classed(LIFECYCLE, activity, name)
        made["app"] = {"name": "brightline", "vendor_name": "Brightline", "version": installed("brightline-gateway")}
    elif "method" in of.record or of.kind in {Kind.OUTCOME, Kind.AGGREGATE}:
        method = str(of.record.get("method", "")).rpartition("/")[2]
        reads = of.kind == Kind.ACCESS
        made |= _classed(API_ACTIVITY, _READ if reads else _OTHER, "Read" if reads else method or of.kind)
        made |= _call(of, method)
    else:
        made |= _classed(BASE, _OTHER, of.kind)
    return made


def _base(of: Event) -> dict[str, Any]:
    time_ms = of.record["time_us"] // 1000
    made: dict[str, Any] = {
        "time": time_ms,
        "message": of.name,
        "severity_id": int(of.severity),
        "status_id": _SUCCESS if of.well else _FAILURE,
        "is_alert": of.severity >= Severity.HIGH,
        "raw_data_hash": {"algorithm_id": _SHA_256, "value": hashlib.sha256(of.leaf).hexdigest()},
        "raw_data_size": len(of.leaf),
        "metadata": {
            "version": VERSION,
            "product": {
                "name": "Brightline",
                "vendor_name": "Brightline",
                "version": installed("brightline-gateway"),
            },
            "profiles": ["security_control"],
            "uid": f"{of.origin}/{of.index}",
            "sequence": of.index,
            "log_name": of.origin,
            "log_version": str(of.record["v"]),
            "event_code": of.kind,
            "correlation_uid": str(of.record["decision_id"]),
            "original_time": str(of.record["time_us"]),
        },
        "unmapped": _unmapped(of),
    }
    if of.reason:
        made["status_code"] = of.reason
    if tenant := of.principal("tenant"):
        made["metadata"]["tenant_uid"] = tenant
    return made


def _classed(uid: int, activity: int, name: str) -> dict[str, Any]:
    return {
        "class_uid": uid,
        "category_uid": _CATEGORY[uid],
        "activity_id": activity,
        "activity_name": name,
        "type_uid": uid * 100 + activity,
    }


def _call(of: Event, method: str) -> dict[str, Any]:
    made: dict[str, Any] = {
        "api": {
            "operation": method or of.kind,
            "service": {"name": "brightline.v1"},
            "request": {"uid": str(of.record["decision_id"])},
        },
        "actor": _actor(of),
        "src_endpoint": _source(of),
        "dst_endpoint": _destination(of),
        "action_id": _ALLOWED if of.well else _DENIED,
        "disposition_id": _disposition(of),
        "authorizations": [
            {"decision": rule["effect"], "policy": {"uid": rule["id"], "type": rule["class"]}} for rule in of.rules
        ],
    }
    if of.reason:
        made["api"]["response"] = {"error": of.reason}
    if release := of.record.get("release"):
        made["policy"] = {"uid": release, "name": "release", "is_applied": True}
    if model := of.asked("model"):
        made["resources"] = [{"name": model, "type": "AI model"}]
    if of.kind == Kind.AGGREGATE:
        made["count"] = sum(told["number"] for told in of.record["counts"].values())
    return made


def _actor(of: Event) -> dict[str, Any]:
    """The client that called and the person for whom it called. The record of a crash has only the tenant."""
    tenant = of.principal("tenant")
    made: dict[str, Any] = {"app_name": of.principal("client_id") or tenant or "(not proved)"}
    if subject := of.principal("subject"):
        made["user"] = {"uid": subject, "name": subject, "org": {"uid": tenant}}
    return made


def _source(of: Event) -> dict[str, Any]:
    """An outcome has no address. The intent with the same correlation_uid has it."""
    made: dict[str, Any] = {"name": of.principal("client_id") or of.principal("tenant") or "(not proved)"}
    if place := of.address():
        made |= {"ip": place[0], "port": place[1]}
    if name := ((of.record.get("peer") or {}).get("certificate") or {}).get("name"):
        made["uid"] = name
    return made


def _destination(of: Event) -> dict[str, Any]:
    made: dict[str, Any] = {"name": of.where("node") or of.where("component") or "gateway", "svc_name": "brightline"}
    if enclave := of.where("enclave"):
        made["zone"] = enclave
    if place := parted(of.where("listener")):
        made |= {"ip": place[0], "port": place[1]}
    return made


def _disposition(of: Event) -> int:
    if of.well:
        return _ALLOWED
    if of.reason in _IDENTITY:
        return _UNAUTHORIZED
    return _BLOCKED if of.outcome in {Outcome.REFUSED, Outcome.REFUSED_OUTPUT, Outcome.PENDING} else _FAULT


def _unmapped(of: Event) -> dict[str, Json]:
    """Fields for which the schema has no place."""
    told: dict[str, Json] = {
        "outcome": of.outcome,
        **{n: of.asked(n) for n in ("purpose", "autonomy", "geo", "channel")},
    }
    for name in ("marking", "incidents", "judgements", "model", "counts", "previous", "why"):
        told[name] = of.record.get(name)
    told["grants"] = (of.record.get("decision") or {}).get("grants")
    return {name: value for name, value in told.items() if value not in (None, "", [], {})}
