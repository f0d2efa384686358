from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Direction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DIRECTION_UNSPECIFIED: _ClassVar[Direction]
    DIRECTION_LOOSER: _ClassVar[Direction]
    DIRECTION_CHANGED: _ClassVar[Direction]
    DIRECTION_STRICTER: _ClassVar[Direction]
DIRECTION_UNSPECIFIED: Direction
DIRECTION_LOOSER: Direction
DIRECTION_CHANGED: Direction
DIRECTION_STRICTER: Direction

class GetInForceRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetInForceResponse(_message.Message):
    __slots__ = ("decision_id", "release", "version", "revision", "since_us", "expires_us", "base", "signatures", "tenant")
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    SINCE_US_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_US_FIELD_NUMBER: _ClassVar[int]
    BASE_FIELD_NUMBER: _ClassVar[int]
    SIGNATURES_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    decision_id: str
    release: str
    version: int
    revision: str
    since_us: int
    expires_us: int
    base: str
    signatures: _containers.RepeatedCompositeFieldContainer[ReleaseSignature]
    tenant: TenantTerms
    def __init__(self, decision_id: _Optional[str] = ..., release: _Optional[str] = ..., version: _Optional[int] = ..., revision: _Optional[str] = ..., since_us: _Optional[int] = ..., expires_us: _Optional[int] = ..., base: _Optional[str] = ..., signatures: _Optional[_Iterable[_Union[ReleaseSignature, _Mapping]]] = ..., tenant: _Optional[_Union[TenantTerms, _Mapping]] = ...) -> None: ...

class ReleaseSignature(_message.Message):
    __slots__ = ("holder", "role", "key")
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    holder: str
    role: str
    key: str
    def __init__(self, holder: _Optional[str] = ..., role: _Optional[str] = ..., key: _Optional[str] = ...) -> None: ...

class TenantTerms(_message.Message):
    __slots__ = ("id", "purposes", "models", "marking_ceiling", "rules", "grants")
    ID_FIELD_NUMBER: _ClassVar[int]
    PURPOSES_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    MARKING_CEILING_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    GRANTS_FIELD_NUMBER: _ClassVar[int]
    id: str
    purposes: _containers.RepeatedScalarFieldContainer[str]
    models: _containers.RepeatedScalarFieldContainer[str]
    marking_ceiling: str
    rules: _containers.RepeatedScalarFieldContainer[str]
    grants: _containers.RepeatedCompositeFieldContainer[TenantGrant]
    def __init__(self, id: _Optional[str] = ..., purposes: _Optional[_Iterable[str]] = ..., models: _Optional[_Iterable[str]] = ..., marking_ceiling: _Optional[str] = ..., rules: _Optional[_Iterable[str]] = ..., grants: _Optional[_Iterable[_Union[TenantGrant, _Mapping]]] = ...) -> None: ...

class TenantGrant(_message.Message):
    __slots__ = ("id", "rule", "purposes", "addendum", "not_before_ms", "expires_ms")
    ID_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    PURPOSES_FIELD_NUMBER: _ClassVar[int]
    ADDENDUM_FIELD_NUMBER: _ClassVar[int]
    NOT_BEFORE_MS_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_MS_FIELD_NUMBER: _ClassVar[int]
    id: str
    rule: str
    purposes: _containers.RepeatedScalarFieldContainer[str]
    addendum: str
    not_before_ms: int
    expires_ms: int
    def __init__(self, id: _Optional[str] = ..., rule: _Optional[str] = ..., purposes: _Optional[_Iterable[str]] = ..., addendum: _Optional[str] = ..., not_before_ms: _Optional[int] = ..., expires_ms: _Optional[int] = ...) -> None: ...

class GetChangesRequest(_message.Message):
    __slots__ = ("before", "after")
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    before: str
    after: str
    def __init__(self, before: _Optional[str] = ..., after: _Optional[str] = ...) -> None: ...

class GetChangesResponse(_message.Message):
    __slots__ = ("decision_id", "steps")
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    decision_id: str
    steps: _containers.RepeatedCompositeFieldContainer[ReleaseStep]
    def __init__(self, decision_id: _Optional[str] = ..., steps: _Optional[_Iterable[_Union[ReleaseStep, _Mapping]]] = ...) -> None: ...

class ReleaseStep(_message.Message):
    __slots__ = ("before", "after", "version", "changes", "effects")
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    EFFECTS_FIELD_NUMBER: _ClassVar[int]
    before: str
    after: str
    version: int
    changes: _containers.RepeatedCompositeFieldContainer[ReleaseChange]
    effects: _containers.RepeatedCompositeFieldContainer[ReleaseEffect]
    def __init__(self, before: _Optional[str] = ..., after: _Optional[str] = ..., version: _Optional[int] = ..., changes: _Optional[_Iterable[_Union[ReleaseChange, _Mapping]]] = ..., effects: _Optional[_Iterable[_Union[ReleaseEffect, _Mapping]]] = ...) -> None: ...

class ReleaseChange(_message.Message):
    __slots__ = ("direction", "text")
    DIRECTION_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    direction: Direction
    text: str
    def __init__(self, direction: _Optional[_Union[Direction, str]] = ..., text: _Optional[str] = ...) -> None: ...

class ReleaseEffect(_message.Message):
    __slots__ = ("about", "decisions", "looser", "stricter", "examples")
    ABOUT_FIELD_NUMBER: _ClassVar[int]
    DECISIONS_FIELD_NUMBER: _ClassVar[int]
    LOOSER_FIELD_NUMBER: _ClassVar[int]
    STRICTER_FIELD_NUMBER: _ClassVar[int]
    EXAMPLES_FIELD_NUMBER: _ClassVar[int]
    about: str
    decisions: int
    looser: int
    stricter: int
    examples: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, about: _Optional[str] = ..., decisions: _Optional[int] = ..., looser: _Optional[int] = ..., stricter: _Optional[int] = ..., examples: _Optional[_Iterable[str]] = ...) -> None: ...
