"""Traces by OpenTelemetry, where ``OTEL_EXPORTER_OTLP_ENDPOINT`` says where they go.

A job is a trace of its own: what the API, a dispatcher and workers tell of it needs nothing to be
handed on but the job's id, from which the trace's follows. So it holds over lost messages, retries
and restarts, and nothing is kept for it. Where nobody asks for traces nothing of OpenTelemetry is
imported, and each call here is one comparison.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from geogaze.extras import LibraryAbsent
from geogaze.version import VERSION

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.sdk.trace.id_generator import IdGenerator
    from opentelemetry.trace import SpanContext

ADDRESSES = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_NANO = 1_000_000_000

_provider: TracerProvider | None = None


@dataclass(frozen=True)
class _Ids:
    """Those of a job's trace, and of the span that begins it."""

    trace: int
    span: int

    @classmethod
    def of(cls, job: UUID) -> _Ids:
        digest = hashlib.sha256(job.bytes).digest()  # samplers want bits that are random throughout
        return cls(int.from_bytes(digest[:16]), int.from_bytes(digest[16:24]))


class _Generator:
    """Random ids, but for a span that begins a job's trace."""

    def __init__(self, random: IdGenerator) -> None:
        self._random = random

    def generate_span_id(self) -> int:
        known = _beginning_now.get()
        return known.span if known else int(self._random.generate_span_id())

    def generate_trace_id(self) -> int:
        known = _beginning_now.get()
        return known.trace if known else int(self._random.generate_trace_id())

    def is_trace_id_random(self) -> bool:
        return True


_beginning_now: ContextVar[_Ids | None] = ContextVar("_beginning_now", default=None)


def trace_id(job: UUID) -> str:
    """The id of a job's trace, as backends show it: 32 hexadecimal digits."""
    return f"{_Ids.of(job).trace:032x}"


def start_tracing(
    part: str, exporter: SpanExporter | None = None, environ: Mapping[str, str] = os.environ
) -> None:
    """Begin to tell traces, if the environment says where to; once for each process.

    Sampler, headers, resource and the like are the standard's ``OTEL_`` variables.

    Args:
        part: what the process is: ``api``, ``dispatcher``, ``worker``.
        exporter: where spans go at once; None: to the address of the environment, in batches.
        environ: the environment.

    Raises:
        LibraryAbsent: traces are asked for, and the extra ``traces`` is not installed.
    """
    global _provider  # noqa: PLW0603  the process has one, as OpenTelemetry has it
    disabled = environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    asked = exporter or any(environ.get(name) for name in ADDRESSES)
    if _provider or disabled or not asked:
        return
    try:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
        from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

        if exporter:
            processor: Any = SimpleSpanProcessor(exporter)
        else:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

            processor = BatchSpanProcessor(OTLPSpanExporter())
    except ImportError as error:
        raise LibraryAbsent(
            f"{' or '.join(ADDRESSES)} asks for traces, and OpenTelemetry's SDK is not installed "
            "here: pip install 'geogaze[traces]', or unset it."
        ) from error
    named = environ.get("OTEL_SERVICE_NAME") or f"geogaze-{part}"
    resource = Resource.create({"service.name": named, "service.version": VERSION})
    _provider = TracerProvider(resource=resource, id_generator=_Generator(RandomIdGenerator()))
    _provider.add_span_processor(processor)


def end_tracing() -> None:
    """Send what is not sent yet; nothing is told from here on."""
    global _provider  # noqa: PLW0603
    if _provider:
        _provider.shutdown()
        _provider = None


def provider() -> TracerProvider | None:
    """For instrumentations; None where nobody asks for traces."""
    return _provider


def tell_job(job: UUID, process: str, tenant: str) -> None:
    """A job was accepted: the span that its trace begins with, linked to the request's."""
    if _provider is None:
        return
    from opentelemetry import trace
    from opentelemetry.context import Context

    asked = trace.get_current_span()
    links = [trace.Link(asked.get_span_context())] if asked.get_span_context().is_valid else []
    asked.set_attribute("geogaze.job", str(job))
    about = {"geogaze.job": str(job), "geogaze.process": process, "geogaze.tenant": tenant}
    tracer = _provider.get_tracer("geogaze", VERSION)
    beginning = _beginning_now.set(_Ids.of(job))
    try:
        tracer.start_span(f"job {process}", Context(), attributes=about, links=links).end()
    finally:
        _beginning_now.reset(beginning)


def tell_step(job: UUID, name: str, seconds: float = 0.0, **about: str | int) -> None:
    """A step of a job has ended just now, after so many seconds."""
    if _provider is None:
        return
    from opentelemetry import trace

    ended = time.time_ns()
    began = ended - round(seconds * _NANO)
    parent = trace.set_span_in_context(trace.NonRecordingSpan(_beginning(_provider, job)))
    attributes = {f"geogaze.{key}": value for key, value in about.items()}
    tracer = _provider.get_tracer("geogaze", VERSION)
    attributes["geogaze.job"] = str(job)
    span = tracer.start_span(name, parent, attributes=attributes, start_time=began)
    span.end(end_time=ended)


def _beginning(provider: TracerProvider, job: UUID) -> SpanContext:
    """A job's first span, which another process told; sampled as it was, which its id decides."""
    from opentelemetry.trace import SpanContext, TraceFlags

    ids = _Ids.of(job)
    kept = provider.sampler.should_sample(None, ids.trace, "job").decision.is_sampled()
    flags = TraceFlags(TraceFlags.SAMPLED if kept else TraceFlags.DEFAULT)
    return SpanContext(ids.trace, ids.span, is_remote=True, trace_flags=flags)
