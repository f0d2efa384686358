from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Autonomy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    AUTONOMY_UNSPECIFIED: _ClassVar[Autonomy]
    AUTONOMY_NONE: _ClassVar[Autonomy]
    AUTONOMY_RECOMMEND: _ClassVar[Autonomy]
    AUTONOMY_SEMI_AUTONOMOUS: _ClassVar[Autonomy]
    AUTONOMY_OPERATOR_SUPERVISED: _ClassVar[Autonomy]
    AUTONOMY_AUTONOMOUS: _ClassVar[Autonomy]

class Involvement(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    INVOLVEMENT_UNSPECIFIED: _ClassVar[Involvement]
    INVOLVEMENT_YES: _ClassVar[Involvement]
    INVOLVEMENT_NO: _ClassVar[Involvement]
    INVOLVEMENT_UNKNOWN: _ClassVar[Involvement]

class DataOrigin(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DATA_ORIGIN_UNSPECIFIED: _ClassVar[DataOrigin]
    DATA_ORIGIN_AGENCY_RECORDS: _ClassVar[DataOrigin]
    DATA_ORIGIN_PUBLIC: _ClassVar[DataOrigin]
    DATA_ORIGIN_COMMERCIAL: _ClassVar[DataOrigin]
    DATA_ORIGIN_INTELLIGENCE: _ClassVar[DataOrigin]
    DATA_ORIGIN_PARTNER: _ClassVar[DataOrigin]
    DATA_ORIGIN_SYNTHETIC: _ClassVar[DataOrigin]

class Channel(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CHANNEL_UNSPECIFIED: _ClassVar[Channel]
    CHANNEL_INTERNAL: _ClassVar[Channel]
    CHANNEL_INTERAGENCY: _ClassVar[Channel]
    CHANNEL_PUBLIC: _ClassVar[Channel]
    CHANNEL_FOREIGN: _ClassVar[Channel]
    CHANNEL_MACHINE: _ClassVar[Channel]
AUTONOMY_UNSPECIFIED: Autonomy
AUTONOMY_NONE: Autonomy
AUTONOMY_RECOMMEND: Autonomy
AUTONOMY_SEMI_AUTONOMOUS: Autonomy
AUTONOMY_OPERATOR_SUPERVISED: Autonomy
AUTONOMY_AUTONOMOUS: Autonomy
INVOLVEMENT_UNSPECIFIED: Involvement
INVOLVEMENT_YES: Involvement
INVOLVEMENT_NO: Involvement
INVOLVEMENT_UNKNOWN: Involvement
DATA_ORIGIN_UNSPECIFIED: DataOrigin
DATA_ORIGIN_AGENCY_RECORDS: DataOrigin
DATA_ORIGIN_PUBLIC: DataOrigin
DATA_ORIGIN_COMMERCIAL: DataOrigin
DATA_ORIGIN_INTELLIGENCE: DataOrigin
DATA_ORIGIN_PARTNER: DataOrigin
DATA_ORIGIN_SYNTHETIC: DataOrigin
CHANNEL_UNSPECIFIED: Channel
CHANNEL_INTERNAL: Channel
CHANNEL_INTERAGENCY: Channel
CHANNEL_PUBLIC: Channel
CHANNEL_FOREIGN: Channel
CHANNEL_MACHINE: Channel

class UseContext(_message.Message):
    __slots__ = ("purpose", "authority", "marking", "autonomy", "us_person", "geo", "volume", "data_origin", "channel", "approval_id", "conversation_id", "idempotency_key", "evidence")
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    AUTHORITY_FIELD_NUMBER: _ClassVar[int]
    MARKING_FIELD_NUMBER: _ClassVar[int]
    AUTONOMY_FIELD_NUMBER: _ClassVar[int]
    US_PERSON_FIELD_NUMBER: _ClassVar[int]
    GEO_FIELD_NUMBER: _ClassVar[int]
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    DATA_ORIGIN_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    APPROVAL_ID_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_ID_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    purpose: str
    authority: Authority
    marking: str
    autonomy: Autonomy
    us_person: UsPerson
    geo: _containers.RepeatedScalarFieldContainer[str]
    volume: Volume
    data_origin: DataOrigin
    channel: Channel
    approval_id: str
    conversation_id: str
    idempotency_key: str
    evidence: _containers.RepeatedCompositeFieldContainer[Evidence]
    def __init__(self, purpose: _Optional[str] = ..., authority: _Optional[_Union[Authority, _Mapping]] = ..., marking: _Optional[str] = ..., autonomy: _Optional[_Union[Autonomy, str]] = ..., us_person: _Optional[_Union[UsPerson, _Mapping]] = ..., geo: _Optional[_Iterable[str]] = ..., volume: _Optional[_Union[Volume, _Mapping]] = ..., data_origin: _Optional[_Union[DataOrigin, str]] = ..., channel: _Optional[_Union[Channel, str]] = ..., approval_id: _Optional[str] = ..., conversation_id: _Optional[str] = ..., idempotency_key: _Optional[str] = ..., evidence: _Optional[_Iterable[_Union[Evidence, _Mapping]]] = ...) -> None: ...

class Evidence(_message.Message):
    __slots__ = ("kind", "id", "expires_ms")
    KIND_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_MS_FIELD_NUMBER: _ClassVar[int]
    kind: str
    id: str
    expires_ms: int
    def __init__(self, kind: _Optional[str] = ..., id: _Optional[str] = ..., expires_ms: _Optional[int] = ...) -> None: ...

class Authority(_message.Message):
    __slots__ = ("kind", "citation", "id", "not_before_ms", "expires_ms")
    KIND_FIELD_NUMBER: _ClassVar[int]
    CITATION_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    NOT_BEFORE_MS_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_MS_FIELD_NUMBER: _ClassVar[int]
    kind: str
    citation: str
    id: str
    not_before_ms: int
    expires_ms: int
    def __init__(self, kind: _Optional[str] = ..., citation: _Optional[str] = ..., id: _Optional[str] = ..., not_before_ms: _Optional[int] = ..., expires_ms: _Optional[int] = ...) -> None: ...

class UsPerson(_message.Message):
    __slots__ = ("involved", "basis", "process_id")
    INVOLVED_FIELD_NUMBER: _ClassVar[int]
    BASIS_FIELD_NUMBER: _ClassVar[int]
    PROCESS_ID_FIELD_NUMBER: _ClassVar[int]
    involved: Involvement
    basis: str
    process_id: str
    def __init__(self, involved: _Optional[_Union[Involvement, str]] = ..., basis: _Optional[str] = ..., process_id: _Optional[str] = ...) -> None: ...

class Volume(_message.Message):
    __slots__ = ("persons", "records")
    PERSONS_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    persons: int
    records: int
    def __init__(self, persons: _Optional[int] = ..., records: _Optional[int] = ...) -> None: ...
