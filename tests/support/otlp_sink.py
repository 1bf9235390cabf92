"""A collector for tests: takes OTLP over HTTP (protobuf) and keeps the points of all metrics."""

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from google.protobuf import text_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

Labels = frozenset[tuple[str, Any]]


@dataclass
class Sink:
    """What was received. `delta` adds what short processes sent; `last` has the newest points of all others."""

    address: str = ""
    status: int = 200
    requests: int = 0
    delta: dict[str, dict[Labels, float]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(float)))
    last: dict[str, dict[Labels, float]] = field(default_factory=lambda: defaultdict(dict))
    units: dict[str, str] = field(default_factory=dict)
    resources: list[dict[str, Any]] = field(default_factory=list)
    text: str = ""

    def take(self, body: bytes) -> None:
        request = ExportMetricsServiceRequest.FromString(body)
        self.text += text_format.MessageToString(request, as_utf8=True)
        for resource in request.resource_metrics:
            self.resources.append(_values(resource.resource.attributes))
            for metric in (metric for scope in resource.scope_metrics for metric in scope.metrics):
                self.units[metric.name] = metric.unit
                kind = metric.WhichOneof("data")
                data = getattr(metric, kind)
                for point in data.data_points:
                    labels = frozenset(_values(point.attributes).items())
                    value = point.count if kind == "histogram" else point.as_double or point.as_int
                    if kind != "gauge" and data.aggregation_temporality == 1:
                        self.delta[metric.name][labels] += value
                    else:
                        self.last[metric.name][labels] = value


def _values(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}


@contextmanager
def otlp_sink() -> Iterator[Sink]:
    sink = Sink()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            sink.requests += 1
            assert self.path == "/v1/metrics"
            if sink.status == 200:
                sink.take(body)
            self.send_response(sink.status)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing is logged."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sink.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield sink
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
