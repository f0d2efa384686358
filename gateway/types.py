"""The values that flow along the path. Ground floor. Wire types stop at the shell; these are what steps see."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

from gateway.canonical import Json, Written, canonical
from gateway.errors import GatewayError, Reason, Rule


def new_decision_id(now_us: int) -> str:
    """A sortable, unguessable identifier: 12 hexadecimal digits of milliseconds, 20 random ones."""
    return f"{now_us // 1000:012x}{secrets.token_hex(10)}"


# --- who asks ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the caller presented, unverified. certificates: PEM as the TLS layer gave them; address: peer address.

    chain: PEM of the certificates between its own and a CA.
    """

    certificates: tuple[bytes, ...]
    authorizations: tuple[str, ...]
    address: str
    chain: bytes = b""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks, proved. certificate_sha256 is 64 hexadecimal digits; certificate_name the URI SAN or fingerprint."""

    tenant: str
    subject: str
    client_id: str
    roles: tuple[str, ...]
    issuer: str
    token_id: str
    key_id: str
    certificate_name: str
    certificate_sha256: str


@dataclass(frozen=True, slots=True)
class Call:
    """One call as the shell received it. method: full gRPC name. Times: microseconds since 1970 UTC.

    deadline_us: None when the caller set no deadline.
    """

    decision_id: str
    method: str
    credentials: Credentials
    received_us: int
    deadline_us: int | None = None


# --- what is asked ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Text:
    """Plain text."""

    text: str


@dataclass(frozen=True, slots=True)
class Document:
    """A text document. marking: its banner line, empty for the marking of the request."""

    name: str
    text: str
    marking: str


@dataclass(frozen=True, slots=True)
class ToolUse:
    """The model asks for a tool to be run. input: JSON text of the arguments (an object)."""

    id: str
    name: str
    input: str


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool answered."""

    tool_use_id: str
    text: str
    is_error: bool


Part: TypeAlias = Text | Document | ToolUse | ToolResult


@dataclass(frozen=True, slots=True)
class Message:
    """One turn. role: "user" or "assistant"."""

    role: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool offered to the model. input_schema: JSON text; effector: lower-case name, "unspecified" if not stated."""

    name: str
    description: str
    input_schema: str
    effector: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is asked, validated. use: the declared use as JSON facts, the shape of input.request in rego/schemas."""

    model: str
    system: str
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...]
    max_tokens: int
    temperature_milli: int | None
    use: Mapping[str, Json]

    def texts(self) -> Iterator[str]:
        """Every string that the model would see, so that no field goes unscanned."""
        yield self.system
        for tool in self.tools:
            yield from (tool.name, tool.description, tool.input_schema)
        for message in self.messages:
            for part in message.parts:
                yield from part_texts(part)


def part_texts(part: Part) -> tuple[str, ...]:
    """Every string of a part: all of them are forwarded."""
    match part:
        case Text(text):
            return (text,)
        case Document(name, text, marking):
            return (name, marking, text)
        case ToolUse(identifier, name, arguments):
            return (identifier, name, arguments)
        case ToolResult(tool_use_id, text, _):
            return (tool_use_id, text)


# --- what is known about it -------------------------------------------------------------------------------------


class Reading(NamedTuple):
    """What one detector says. score: thousandths, 0 to 1000; None means unavailable, which is never a zero."""

    name: str
    version: str
    score: int | None


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant of the release. attributes: the facts that rules see as input.tenant."""

    id: str
    certificates: tuple[str, ...]
    attributes: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Model:
    """A model of the release. upstream: name of the adapter; upstream_model: its identifier there."""

    id: str
    description: str
    upstream: str
    upstream_model: str
    attributes: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Signature:
    """A verified signature. role: of the release's metadata; key: its identifier there."""

    holder: str
    role: str
    key: str


@dataclass(frozen=True, slots=True)
class Check:
    """A decision that the policy of a release has to make. effect: in lower case; rules: every one behind it."""

    id: str
    input: Mapping[str, Json]
    effect: str
    rules: frozenset[str]


@dataclass(frozen=True, slots=True)
class Release:
    """What is in force, whole and immutable. digest: SHA-256 of its canonical manifest.

    signatures, metadata and expires_us are of a signed release alone: who signed, the version of each role, and when
    the first of them expires. base: what both signed, where a holder's restrictions made something narrower of it.
    """

    digest: str
    version: int
    signers: tuple[str, ...]
    revision: str
    wasm: bytes
    data: Mapping[str, Json]
    tenants: Mapping[str, Tenant]
    models: Mapping[str, Model]
    signatures: tuple[Signature, ...] = ()
    metadata: Mapping[str, int] = field(default_factory=dict)
    expires_us: int | None = None
    checks: tuple[Check, ...] = ()
    base: str = ""


def live_safeguards(readings: tuple[Reading, ...]) -> list[Json]:
    """The safeguards that are live as this decision is made, in alphabetical order.

    Classifiers are live when every one of them answered just now: the same ones read what goes in and what comes back.
    Every caller was proved by certificate and token before, and every use is recorded.
    """
    answered = readings and all(r.score is not None for r in readings)
    classifiers = ["input_classifier", "output_classifier"] if answered else []
    return [*classifiers, "trusted_user_access", "usage_monitoring"]


@lru_cache(maxsize=1024)
def _signals(readings: tuple[Reading, ...]) -> Json:
    return Written({r.name: r.score for r in readings})


class Stage(StrEnum):
    """Which content a decision is about."""

    REQUEST = "request"
    RESPONSE = "response"
    TOOL_CALL = "tool_call"


@dataclass(frozen=True, slots=True)
class Facts:
    """The decision input of one stage. model: None when the release has no such model.

    remark: for the caller, what is wrong with a marking that was not understood; repeats nothing of it.
    """

    input: Mapping[str, Json]
    model: Model | None
    remark: str = ""

    def at(self, stage: Stage, readings: tuple[Reading, ...], request: Mapping[str, Json] | None = None) -> Facts:
        """The same facts at another stage, with other readings and, for tool calls, other request facts."""
        changed: dict[str, Json] = {
            "stage": str(stage),
            "signals": _signals(readings),
            "safeguards": live_safeguards(readings),
        }
        if request is not None:
            changed["request"] = request
        return replace(self, input=Written({**self.input, **changed}))


# --- what is decided --------------------------------------------------------------------------------------------


class Effect(IntEnum):
    """What a decision does; a larger value is stricter."""

    ALLOW = 1
    REQUIRE_APPROVAL = 2
    DENY = 3


@dataclass(frozen=True, slots=True)
class Obligation:
    """Something that the policy adds to a permitted call. The parser of decisions refuses kinds it does not know.

    max_tokens: limit. remove_tools: effectors. output_marking: a banner line as text. label, oversight_label,
    record_authority: text. seal_content: the retention class as text. route: the model's id as text. incident: what
    happened as text, and within how many hours it has to be reported as limit; the only kind that a refusal has.
    """

    kind: str
    text: str = ""
    limit: int = 0
    effectors: tuple[str, ...] = ()


_PERMIT: Final = object()


@dataclass(frozen=True, slots=True)
class Permitted:
    """A prompt that may be forwarded. Only Decision.permit makes one: sending undecided can't type-check."""

    prompt: Prompt
    model: Model
    obligations: tuple[Obligation, ...]
    _made_by_permit: object = field(repr=False)

    def __post_init__(self) -> None:
        if self._made_by_permit is not _PERMIT:
            raise TypeError("only Decision.permit makes a Permitted")


@dataclass(frozen=True, slots=True)
class Decision:
    """What the policy decided. rules: those that fired, strictest first."""

    effect: Effect
    rules: tuple[Rule, ...]
    obligations: tuple[Obligation, ...]
    grants: tuple[str, ...]

    def permit(self, prompt: Prompt, facts: Facts) -> Permitted:
        """The prompt with the obligations applied. Raises GatewayError unless the effect is allow."""
        if self.effect is Effect.REQUIRE_APPROVAL:
            raise GatewayError(
                Reason.APPROVAL_REQUIRED, "a human approval is required before this use", rules=self.rules
            )
        if self.effect is not Effect.ALLOW:
            message = "; ".join(filter(None, ("the policy does not permit this use", facts.remark)))
            raise GatewayError(Reason.POLICY_DENIED, message, rules=self.rules)
        if facts.model is None:
            raise GatewayError(Reason.INTERNAL, "no model to forward to", detail="allowed without a model")
        for obligation in self.obligations:
            prompt = _apply(obligation, prompt)
        return Permitted(prompt, facts.model, self.obligations, _PERMIT)


def _apply(obligation: Obligation, prompt: Prompt) -> Prompt:
    if obligation.kind == "max_tokens":
        return replace(prompt, max_tokens=min(prompt.max_tokens, obligation.limit))
    if obligation.kind == "remove_tools":
        return replace(prompt, tools=tuple(t for t in prompt.tools if t.effector not in obligation.effectors))
    if obligation.kind == "route":
        return replace(prompt, model=obligation.text)
    return prompt


# --- what comes back --------------------------------------------------------------------------------------------


class Stop(StrEnum):
    """Why the model stopped."""

    END = "end"
    MAX_TOKENS = "max_tokens"
    TOOL_USE = "tool_use"
    MODEL_REFUSAL = "model_refusal"


@dataclass(frozen=True, slots=True)
class End:
    """The end of an answer. model: what the service says answered; tokens as the service counts them."""

    stop: Stop
    model: str
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Completion:
    """A whole answer."""

    parts: tuple[Text | ToolUse, ...]
    end: End


Chunk: TypeAlias = Text | ToolUse | End
"""A piece of a streamed answer. Exactly one End, last; a stream that ends without one was cut off."""


def content_bytes(prompt: Prompt) -> bytes:
    """The canonical bytes of everything that is forwarded, for commitments and for comparing judged with sent."""
    return canonical(
        {
            "model": prompt.model,
            "system": prompt.system,
            "max_tokens": prompt.max_tokens,
            "temperature_milli": prompt.temperature_milli,
            "tools": [[t.name, t.description, t.input_schema] for t in prompt.tools],
            "messages": [[m.role, *(_forwarded(p) for p in m.parts)] for m in prompt.messages],
        }
    )


def _forwarded(part: Part) -> list[Json]:
    return [type(part).__name__, *part_texts(part), isinstance(part, ToolResult) and part.is_error]
