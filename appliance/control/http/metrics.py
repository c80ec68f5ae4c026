"""Counters of requests, and the answer of /metrics.

Names and labels are upstream's, so that its dashboards work. Bounded by: labels take verbs,
resources of the table of kinds and status codes only, never names.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Histogram, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from typing_extensions import override

from appliance.api.kinds.table import by_resource
from appliance.control.http.exchange import Exchange
from appliance.control.http.target import Target
from appliance.control.registry.base import KindCounts

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class _Caches(Collector):
    """Figures of the watch caches, read when somebody asks for them."""

    def __init__(self, counts: Callable[[], Sequence[KindCounts]]) -> None:
        self._counts = counts

    @override
    def collect(self) -> Iterable[Metric]:
        labels = ("group", "resource")
        objects = GaugeMetricFamily("apiserver_resource_objects", "Objects stored.", labels=labels)
        watchers = GaugeMetricFamily("apiserver_watchers", "Open watches.", labels=labels)
        cut = CounterMetricFamily(
            "apiserver_terminated_watchers", "Watches that could not keep up.", labels=labels
        )
        reloads = CounterMetricFamily(
            "apiserver_watch_cache_reloads", "Times that a cache had to load anew.", labels=labels
        )
        for kind in self._counts():
            key = (kind.group, kind.plural)
            objects.add_metric(key, kind.objects)
            watchers.add_metric(key, kind.watchers)
            cut.add_metric(key, kind.watchers_cut)
            reloads.add_metric(key, kind.reloads)
        return (objects, watchers, cut, reloads)


@dataclass(frozen=True, slots=True)
class LoopCounts:
    """What a control loop has done since the start."""

    name: str
    waiting: int
    done: int
    failed: int


class LoopFigures(Collector):
    """Figures of the control loops, by the names that dashboards of controllers use."""

    def __init__(self, counts: Callable[[], Iterable[LoopCounts]]) -> None:
        self._counts = counts

    @override
    def collect(self) -> Iterable[Metric]:
        depth = GaugeMetricFamily("workqueue_depth", "Keys that wait.", labels=("name",))
        reconciled = CounterMetricFamily(
            "controller_runtime_reconcile",  # the library appends _total
            "Keys that were looked at.",
            labels=("controller", "result"),
        )
        for loop in self._counts():
            depth.add_metric((loop.name,), loop.waiting)
            reconciled.add_metric((loop.name, "success"), loop.done - loop.failed)
            reconciled.add_metric((loop.name, "error"), loop.failed)
        return (depth, reconciled)


class Metrics:
    """Counts requests into `registry`, which other rooms may add their own to."""

    def __init__(
        self, registry: CollectorRegistry, counts: Callable[[], Sequence[KindCounts]]
    ) -> None:
        registry.register(_Caches(counts))
        self._registry = registry
        self._total = Counter(
            "apiserver_request",  # the library appends _total
            "Requests by verb, resource and code.",
            ("verb", "group", "resource", "subresource", "code"),
            registry=registry,
        )
        self._took = Histogram(
            "apiserver_request_duration_seconds",
            "Time to answer, streams aside.",
            ("verb", "resource"),
            buckets=_BUCKETS,
            registry=registry,
        )

    def done(self, target: Target, code: int, took_s: float) -> None:
        """Count an answered request."""
        kind = by_resource(target.group, target.version, target.resource)
        resource = kind.plural if kind else ""
        known = kind is not None and kind.has(target.subresource)
        subresource = target.subresource if known else ""
        group = kind.group if kind else ""
        verb = target.verb.upper()[:16]
        self._total.labels(verb, group, resource, subresource, str(code)).inc()
        if not target.streams:
            self._took.labels(verb, resource).observe(took_s)

    async def handle(self, exchange: Exchange) -> None:
        """Answer /metrics."""
        body = generate_latest(self._registry)
        await exchange.answer_bytes(body, CONTENT_TYPE_LATEST.encode())
