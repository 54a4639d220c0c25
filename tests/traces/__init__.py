"""Traces of a whole job; ``make traces``, as they need OpenTelemetry's SDK."""
