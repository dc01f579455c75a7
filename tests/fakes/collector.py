"""A collector of spans that keeps what it is sent."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as pb
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as pb_grpc

from tests.processes import wait_until

PATIENCE_S = 20.0


class Collector(pb_grpc.TraceServiceServicer):
    """Keeps the spans that it is sent, and all that came as bytes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spans: list[tuple[str, Any]] = []
        self.raw = b""

    def Export(self, request: Any, context: grpc.ServicerContext) -> Any:
        with self._lock:
            self.raw += request.SerializeToString()
            for resource in request.resource_spans:
                service = attributes(resource.resource)["service.name"]
                for scope in resource.scope_spans:
                    self._spans += [(service, span) for span in scope.spans]
        return pb.ExportTraceServiceResponse()

    def spans(self) -> Sequence[tuple[str, Any]]:
        """Return all spans that came, each with its service."""
        with self._lock:
            return tuple(self._spans)

    def of(self, trace: str) -> Sequence[tuple[str, Any]]:
        """Return (service, span) of a trace, in the order of their beginning."""
        found = [one for one in self.spans() if one[1].trace_id.hex() == trace]
        return sorted(found, key=lambda one: one[1].start_time_unix_nano)

    def wait_for(self, trace: str, count: int) -> Sequence[tuple[str, Any]]:
        """Return the spans of a trace when there are so many."""
        wait_until(lambda: len(self.of(trace)) >= count, PATIENCE_S, f"{count} spans of {trace}")
        return self.of(trace)


def attributes(holder: Any) -> dict[str, Any]:
    """Return the attributes of a span or a resource."""
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in holder.attributes}


@contextmanager
def collecting() -> Iterator[tuple[Collector, str]]:
    """Run a collector; yield it and its endpoint."""
    servicer = Collector()
    server = grpc.server(ThreadPoolExecutor(2))
    pb_grpc.add_TraceServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield servicer, f"http://127.0.0.1:{port}"
    finally:
        server.stop(0).wait()
