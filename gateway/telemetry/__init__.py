"""What the gateway tells of its own running: numbers for Prometheus, spans for OpenTelemetry. Never content, never who.

meters: what is counted, as plain whole numbers. watch: one call, as it passes its milestones. families: the numbers
under their names. spans: what a call did, for a tracing backend; loaded only where one is configured.
"""

from gateway.telemetry.meters import Counted, Meters
from gateway.telemetry.watch import TRACEPARENT, Telemetry, Watch

__all__ = ["TRACEPARENT", "Counted", "Meters", "Telemetry", "Watch"]
