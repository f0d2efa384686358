from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Reason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REASON_UNSPECIFIED: _ClassVar[Reason]
    REASON_POLICY_DENIED: _ClassVar[Reason]
    REASON_APPROVAL_REQUIRED: _ClassVar[Reason]
    REASON_OUTPUT_DENIED: _ClassVar[Reason]
    REASON_CERTIFICATE_INVALID: _ClassVar[Reason]
    REASON_TENANT_UNKNOWN: _ClassVar[Reason]
    REASON_TOKEN_MISSING: _ClassVar[Reason]
    REASON_TOKEN_INVALID: _ClassVar[Reason]
    REASON_TOKEN_EXPIRED: _ClassVar[Reason]
    REASON_CREDENTIAL_REVOKED: _ClassVar[Reason]
    REASON_TOKEN_NOT_BOUND: _ClassVar[Reason]
    REASON_TENANT_MISMATCH: _ClassVar[Reason]
    REASON_TOKEN_REPLAYED: _ClassVar[Reason]
    REASON_INVALID_REQUEST: _ClassVar[Reason]
    REASON_PART_UNREADABLE: _ClassVar[Reason]
    REASON_DEADLINE_REQUIRED: _ClassVar[Reason]
    REASON_REQUEST_TOO_LARGE: _ClassVar[Reason]
    REASON_OVERLOADED: _ClassVar[Reason]
    REASON_DUPLICATE_REQUEST: _ClassVar[Reason]
    REASON_POLICY_UNAVAILABLE: _ClassVar[Reason]
    REASON_AUDIT_UNAVAILABLE: _ClassVar[Reason]
    REASON_IDENTITY_UNAVAILABLE: _ClassVar[Reason]
    REASON_UPSTREAM_UNAVAILABLE: _ClassVar[Reason]
    REASON_UPSTREAM_FAILED: _ClassVar[Reason]
    REASON_DEADLINE_EXCEEDED: _ClassVar[Reason]
    REASON_CANCELLED: _ClassVar[Reason]
    REASON_SHUTTING_DOWN: _ClassVar[Reason]
    REASON_METHOD_UNKNOWN: _ClassVar[Reason]
    REASON_INTERNAL: _ClassVar[Reason]
    REASON_CLOCK_UNTRUSTED: _ClassVar[Reason]
    REASON_NOT_FOUND: _ClassVar[Reason]
    REASON_ROLE_REQUIRED: _ClassVar[Reason]
    REASON_REVIEW_UNAVAILABLE: _ClassVar[Reason]
    REASON_RELEASE_NOT_IN_FORCE: _ClassVar[Reason]
    REASON_QUOTA_EXHAUSTED: _ClassVar[Reason]
    REASON_APPROVAL_INVALID: _ClassVar[Reason]
REASON_UNSPECIFIED: Reason
REASON_POLICY_DENIED: Reason
REASON_APPROVAL_REQUIRED: Reason
REASON_OUTPUT_DENIED: Reason
REASON_CERTIFICATE_INVALID: Reason
REASON_TENANT_UNKNOWN: Reason
REASON_TOKEN_MISSING: Reason
REASON_TOKEN_INVALID: Reason
REASON_TOKEN_EXPIRED: Reason
REASON_CREDENTIAL_REVOKED: Reason
REASON_TOKEN_NOT_BOUND: Reason
REASON_TENANT_MISMATCH: Reason
REASON_TOKEN_REPLAYED: Reason
REASON_INVALID_REQUEST: Reason
REASON_PART_UNREADABLE: Reason
REASON_DEADLINE_REQUIRED: Reason
REASON_REQUEST_TOO_LARGE: Reason
REASON_OVERLOADED: Reason
REASON_DUPLICATE_REQUEST: Reason
REASON_POLICY_UNAVAILABLE: Reason
REASON_AUDIT_UNAVAILABLE: Reason
REASON_IDENTITY_UNAVAILABLE: Reason
REASON_UPSTREAM_UNAVAILABLE: Reason
REASON_UPSTREAM_FAILED: Reason
REASON_DEADLINE_EXCEEDED: Reason
REASON_CANCELLED: Reason
REASON_SHUTTING_DOWN: Reason
REASON_METHOD_UNKNOWN: Reason
REASON_INTERNAL: Reason
REASON_CLOCK_UNTRUSTED: Reason
REASON_NOT_FOUND: Reason
REASON_ROLE_REQUIRED: Reason
REASON_REVIEW_UNAVAILABLE: Reason
REASON_RELEASE_NOT_IN_FORCE: Reason
REASON_QUOTA_EXHAUSTED: Reason
REASON_APPROVAL_INVALID: Reason

class Refusal(_message.Message):
    __slots__ = ("reason", "decision_id", "rules", "release", "appeal", "field", "retry_safe", "rules_omitted")
    REASON_FIELD_NUMBER: _ClassVar[int]
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    APPEAL_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    RETRY_SAFE_FIELD_NUMBER: _ClassVar[int]
    RULES_OMITTED_FIELD_NUMBER: _ClassVar[int]
    reason: Reason
    decision_id: str
    rules: _containers.RepeatedCompositeFieldContainer[Rule]
    release: str
    appeal: str
    field: str
    retry_safe: bool
    rules_omitted: int
    def __init__(self, reason: _Optional[_Union[Reason, str]] = ..., decision_id: _Optional[str] = ..., rules: _Optional[_Iterable[_Union[Rule, _Mapping]]] = ..., release: _Optional[str] = ..., appeal: _Optional[str] = ..., field: _Optional[str] = ..., retry_safe: _Optional[bool] = ..., rules_omitted: _Optional[int] = ...) -> None: ...

class Rule(_message.Message):
    __slots__ = ("id", "title", "sources", "remedy", "effect")
    ID_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    CLASS_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    REMEDY_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    id: str
    title: str
    sources: _containers.RepeatedCompositeFieldContainer[Source]
    remedy: str
    effect: str
    def __init__(self, id: _Optional[str] = ..., title: _Optional[str] = ..., sources: _Optional[_Iterable[_Union[Source, _Mapping]]] = ..., remedy: _Optional[str] = ..., effect: _Optional[str] = ..., **kwargs) -> None: ...

class Source(_message.Message):
    __slots__ = ("title", "read")
    TITLE_FIELD_NUMBER: _ClassVar[int]
    READ_FIELD_NUMBER: _ClassVar[int]
    title: str
    read: str
    def __init__(self, title: _Optional[str] = ..., read: _Optional[str] = ...) -> None: ...
