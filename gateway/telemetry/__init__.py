"""Telemetry: metrics for Prometheus and traces for OpenTelemetry. Never content, and never the caller's identity.

meters: the counters, as plain integers. watch: follows one call through its milestones. families: the metrics' names.
spans: traces of calls; imported only if tracing is configured.
"""

from gateway.telemetry.meters import Counted, Meters
from gateway.telemetry.watch import TRACEPARENT, Telemetry, Watch

__all__ = ["TRACEPARENT", "Counted", "Meters", "Telemetry", "Watch"]
