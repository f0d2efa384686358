"""Client of the Brightline policy gateway: ask a model for a declared use, and get its answer or a refusal to act on.

Client and AsyncClient ask; Use declares what for; every failure is a BrightlineError that names the durable record of
the call. See README.md beside this package.
"""

from brightline._channel import Pem
from brightline._request import Ask
from brightline._review import LogRecord, ProvedRecord, RecordFilter, RecordPage, Watched
from brightline.aio import AsyncClient, AsyncStream
from brightline.audit import AsyncAuditClient, AuditClient
from brightline.client import Client, Stream
from brightline.content import Document, Effector, Message, Part, Role, Text, Tool, ToolResult, ToolUse, assistant, user
from brightline.errors import (
    ApprovalRequired,
    BrightlineError,
    Cancelled,
    ConnectionFailed,
    DeadlineExceeded,
    DuplicateRequest,
    GatewayFault,
    IncompleteStream,
    InvalidRequest,
    NotFound,
    NotThisGateway,
    Overloaded,
    Refused,
    RoleRequired,
    Unauthenticated,
    Unavailable,
)
from brightline.results import (
    Answer,
    Check,
    Effect,
    Event,
    Model,
    Obligation,
    Rule,
    Source,
    Started,
    StopReason,
    Usage,
)
from brightline.use import Authority, Autonomy, Channel, DataOrigin, Evidence, Involvement, Use, UsPerson, Volume

__all__ = [
    "Answer",
    "ApprovalRequired",
    "Ask",
    "AsyncAuditClient",
    "AsyncClient",
    "AsyncStream",
    "AuditClient",
    "Authority",
    "Autonomy",
    "BrightlineError",
    "Cancelled",
    "Channel",
    "Check",
    "Client",
    "ConnectionFailed",
    "DataOrigin",
    "DeadlineExceeded",
    "Document",
    "DuplicateRequest",
    "Effect",
    "Effector",
    "Event",
    "Evidence",
    "GatewayFault",
    "IncompleteStream",
    "InvalidRequest",
    "Involvement",
    "LogRecord",
    "Message",
    "Model",
    "NotFound",
    "NotThisGateway",
    "Obligation",
    "Overloaded",
    "Part",
    "Pem",
    "ProvedRecord",
    "RecordFilter",
    "RecordPage",
    "Refused",
    "Role",
    "RoleRequired",
    "Rule",
    "Source",
    "Started",
    "StopReason",
    "Stream",
    "Text",
    "Tool",
    "ToolResult",
    "ToolUse",
    "Unauthenticated",
    "Unavailable",
    "UsPerson",
    "Usage",
    "Use",
    "Volume",
    "Watched",
    "assistant",
    "user",
]
