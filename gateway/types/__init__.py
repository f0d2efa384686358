"""The values that flow along the path. Wire types stop at the shell; these are what steps see."""

from gateway.types.answers import Chunk, Completion, End, Stop
from gateway.types.callers import Call, Credentials, Principal, new_decision_id
from gateway.types.decided import Decision, Effect, Obligation, Permitted
from gateway.types.known import Facts, Reading, Stage, Standing, Standings, safeguards
from gateway.types.packed import Packed, ceilings, owners, packed
from gateway.types.prompts import (
    EFFECTORS,
    Document,
    Effector,
    Message,
    Part,
    Prompt,
    Text,
    Tool,
    ToolResult,
    ToolUse,
    content_bytes,
    part_texts,
)
from gateway.types.releases import Change, Check, Compared, Model, Price, Release, Signature, Step, Tenant

__all__ = [
    "EFFECTORS",
    "Call",
    "Change",
    "Check",
    "Chunk",
    "Compared",
    "Completion",
    "Credentials",
    "Decision",
    "Document",
    "Effect",
    "Effector",
    "End",
    "Facts",
    "Message",
    "Model",
    "Obligation",
    "Packed",
    "Part",
    "Permitted",
    "Price",
    "Principal",
    "Prompt",
    "Reading",
    "Release",
    "Signature",
    "Stage",
    "Standing",
    "Standings",
    "Step",
    "Stop",
    "Tenant",
    "Text",
    "Tool",
    "ToolResult",
    "ToolUse",
    "ceilings",
    "content_bytes",
    "new_decision_id",
    "owners",
    "packed",
    "part_texts",
    "safeguards",
]
