from brightline.v1 import inference_pb2 as _inference_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ListPendingRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListPendingResponse(_message.Message):
    __slots__ = ("decision_id", "requests")
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    decision_id: str
    requests: _containers.RepeatedCompositeFieldContainer[PendingRequest]
    def __init__(self, decision_id: _Optional[str] = ..., requests: _Optional[_Iterable[_Union[PendingRequest, _Mapping]]] = ...) -> None: ...

class PendingRequest(_message.Message):
    __slots__ = ("id", "time_us", "subject", "purpose", "model", "rules")
    ID_FIELD_NUMBER: _ClassVar[int]
    TIME_US_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    id: str
    time_us: int
    subject: str
    purpose: str
    model: str
    rules: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, id: _Optional[str] = ..., time_us: _Optional[int] = ..., subject: _Optional[str] = ..., purpose: _Optional[str] = ..., model: _Optional[str] = ..., rules: _Optional[_Iterable[str]] = ...) -> None: ...

class ApproveRequest(_message.Message):
    __slots__ = ("id", "prompt", "why", "valid_s")
    ID_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    VALID_S_FIELD_NUMBER: _ClassVar[int]
    id: str
    prompt: _inference_pb2.Prompt
    why: str
    valid_s: int
    def __init__(self, id: _Optional[str] = ..., prompt: _Optional[_Union[_inference_pb2.Prompt, _Mapping]] = ..., why: _Optional[str] = ..., valid_s: _Optional[int] = ...) -> None: ...

class ApproveResponse(_message.Message):
    __slots__ = ("decision_id", "approval_id", "expires_us")
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    APPROVAL_ID_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_US_FIELD_NUMBER: _ClassVar[int]
    decision_id: str
    approval_id: str
    expires_us: int
    def __init__(self, decision_id: _Optional[str] = ..., approval_id: _Optional[str] = ..., expires_us: _Optional[int] = ...) -> None: ...
