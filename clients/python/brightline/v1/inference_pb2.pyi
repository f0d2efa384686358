from brightline.v1 import message_pb2 as _message_pb2
from brightline.v1 import refusal_pb2 as _refusal_pb2
from brightline.v1 import use_context_pb2 as _use_context_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StopReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STOP_REASON_UNSPECIFIED: _ClassVar[StopReason]
    STOP_REASON_END: _ClassVar[StopReason]
    STOP_REASON_MAX_TOKENS: _ClassVar[StopReason]
    STOP_REASON_TOOL_USE: _ClassVar[StopReason]
    STOP_REASON_MODEL_REFUSAL: _ClassVar[StopReason]

class Effect(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EFFECT_UNSPECIFIED: _ClassVar[Effect]
    EFFECT_ALLOW: _ClassVar[Effect]
    EFFECT_REQUIRE_APPROVAL: _ClassVar[Effect]
    EFFECT_DENY: _ClassVar[Effect]
STOP_REASON_UNSPECIFIED: StopReason
STOP_REASON_END: StopReason
STOP_REASON_MAX_TOKENS: StopReason
STOP_REASON_TOOL_USE: StopReason
STOP_REASON_MODEL_REFUSAL: StopReason
EFFECT_UNSPECIFIED: Effect
EFFECT_ALLOW: Effect
EFFECT_REQUIRE_APPROVAL: Effect
EFFECT_DENY: Effect

class Prompt(_message.Message):
    __slots__ = ("model", "system", "messages", "tools", "max_tokens", "temperature_milli", "use")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SYSTEM_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    TOOLS_FIELD_NUMBER: _ClassVar[int]
    MAX_TOKENS_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_MILLI_FIELD_NUMBER: _ClassVar[int]
    USE_FIELD_NUMBER: _ClassVar[int]
    model: str
    system: str
    messages: _containers.RepeatedCompositeFieldContainer[_message_pb2.Message]
    tools: _containers.RepeatedCompositeFieldContainer[_message_pb2.Tool]
    max_tokens: int
    temperature_milli: int
    use: _use_context_pb2.UseContext
    def __init__(self, model: _Optional[str] = ..., system: _Optional[str] = ..., messages: _Optional[_Iterable[_Union[_message_pb2.Message, _Mapping]]] = ..., tools: _Optional[_Iterable[_Union[_message_pb2.Tool, _Mapping]]] = ..., max_tokens: _Optional[int] = ..., temperature_milli: _Optional[int] = ..., use: _Optional[_Union[_use_context_pb2.UseContext, _Mapping]] = ...) -> None: ...

class GenerateRequest(_message.Message):
    __slots__ = ("prompt", "release")
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    prompt: Prompt
    release: str
    def __init__(self, prompt: _Optional[_Union[Prompt, _Mapping]] = ..., release: _Optional[str] = ...) -> None: ...

class GenerateStreamRequest(_message.Message):
    __slots__ = ("prompt", "release")
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    prompt: Prompt
    release: str
    def __init__(self, prompt: _Optional[_Union[Prompt, _Mapping]] = ..., release: _Optional[str] = ...) -> None: ...

class GenerateResponse(_message.Message):
    __slots__ = ("decision_id", "release", "parts", "stop_reason", "usage", "obligations")
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    STOP_REASON_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    OBLIGATIONS_FIELD_NUMBER: _ClassVar[int]
    decision_id: str
    release: str
    parts: _containers.RepeatedCompositeFieldContainer[_message_pb2.Part]
    stop_reason: StopReason
    usage: Usage
    obligations: _containers.RepeatedCompositeFieldContainer[Obligation]
    def __init__(self, decision_id: _Optional[str] = ..., release: _Optional[str] = ..., parts: _Optional[_Iterable[_Union[_message_pb2.Part, _Mapping]]] = ..., stop_reason: _Optional[_Union[StopReason, str]] = ..., usage: _Optional[_Union[Usage, _Mapping]] = ..., obligations: _Optional[_Iterable[_Union[Obligation, _Mapping]]] = ...) -> None: ...

class GenerateStreamResponse(_message.Message):
    __slots__ = ("start", "text", "tool_use", "end")
    START_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    TOOL_USE_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    start: StreamStart
    text: str
    tool_use: _message_pb2.ToolUse
    end: StreamEnd
    def __init__(self, start: _Optional[_Union[StreamStart, _Mapping]] = ..., text: _Optional[str] = ..., tool_use: _Optional[_Union[_message_pb2.ToolUse, _Mapping]] = ..., end: _Optional[_Union[StreamEnd, _Mapping]] = ...) -> None: ...

class StreamStart(_message.Message):
    __slots__ = ("decision_id", "release", "obligations")
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    OBLIGATIONS_FIELD_NUMBER: _ClassVar[int]
    decision_id: str
    release: str
    obligations: _containers.RepeatedCompositeFieldContainer[Obligation]
    def __init__(self, decision_id: _Optional[str] = ..., release: _Optional[str] = ..., obligations: _Optional[_Iterable[_Union[Obligation, _Mapping]]] = ...) -> None: ...

class StreamEnd(_message.Message):
    __slots__ = ("stop_reason", "usage")
    STOP_REASON_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    stop_reason: StopReason
    usage: Usage
    def __init__(self, stop_reason: _Optional[_Union[StopReason, str]] = ..., usage: _Optional[_Union[Usage, _Mapping]] = ...) -> None: ...

class Usage(_message.Message):
    __slots__ = ("input_tokens", "output_tokens")
    INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    input_tokens: int
    output_tokens: int
    def __init__(self, input_tokens: _Optional[int] = ..., output_tokens: _Optional[int] = ...) -> None: ...

class Obligation(_message.Message):
    __slots__ = ("kind", "value")
    KIND_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    kind: str
    value: str
    def __init__(self, kind: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...

class CheckPolicyRequest(_message.Message):
    __slots__ = ("prompt", "release")
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    prompt: Prompt
    release: str
    def __init__(self, prompt: _Optional[_Union[Prompt, _Mapping]] = ..., release: _Optional[str] = ...) -> None: ...

class CheckPolicyResponse(_message.Message):
    __slots__ = ("decision_id", "release", "effect", "rules", "obligations")
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    OBLIGATIONS_FIELD_NUMBER: _ClassVar[int]
    decision_id: str
    release: str
    effect: Effect
    rules: _containers.RepeatedCompositeFieldContainer[_refusal_pb2.Rule]
    obligations: _containers.RepeatedCompositeFieldContainer[Obligation]
    def __init__(self, decision_id: _Optional[str] = ..., release: _Optional[str] = ..., effect: _Optional[_Union[Effect, str]] = ..., rules: _Optional[_Iterable[_Union[_refusal_pb2.Rule, _Mapping]]] = ..., obligations: _Optional[_Iterable[_Union[Obligation, _Mapping]]] = ...) -> None: ...

class ListModelsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListModelsResponse(_message.Message):
    __slots__ = ("models", "decision_id")
    MODELS_FIELD_NUMBER: _ClassVar[int]
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[Model]
    decision_id: str
    def __init__(self, models: _Optional[_Iterable[_Union[Model, _Mapping]]] = ..., decision_id: _Optional[str] = ...) -> None: ...

class Model(_message.Message):
    __slots__ = ("id", "description", "marking_ceiling")
    ID_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    MARKING_CEILING_FIELD_NUMBER: _ClassVar[int]
    id: str
    description: str
    marking_ceiling: str
    def __init__(self, id: _Optional[str] = ..., description: _Optional[str] = ..., marking_ceiling: _Optional[str] = ...) -> None: ...
