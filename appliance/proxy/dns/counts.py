"""What the responder did, as plain numbers: one addition each on the path of a packet.

`text` shows them to Prometheus; the agent's own HTTPS API serves it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from typing_extensions import override


@dataclass(slots=True)
class Counts:
    """Since the start."""

    packed: int = 0
    """Questions for cluster names answered by ready bytes."""
    built: int = 0
    """Questions for cluster names whose answer was packed anew."""
    kept: int = 0
    """Questions for other names answered from the cache of upstream's answers."""
    stale: int = 0
    """Of these, answered past their time because nobody upstream answers."""
    failed: int = 0
    """Questions for other names that nobody answered: SERVFAIL."""
    refused: int = 0
    """Packets that are no question for us."""
    names: int = 0
    """Names of the cluster that have records."""
    asked: dict[tuple[str, str], int] = field(default_factory=dict)
    """Questions to name servers, by server and what came of it."""

    def upstream(self, server: str, outcome: str) -> None:
        """Count a question to a server: answered, failed or silent."""
        key = (server, outcome)
        self.asked[key] = self.asked.get(key, 0) + 1

    def text(self) -> bytes:
        """All of it in the text format of Prometheus."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Shown(self))
        return generate_latest(registry)


class _Shown(Collector):
    def __init__(self, counts: Counts) -> None:
        self._counts = counts

    @override
    def collect(self) -> Iterator[Metric]:
        return families(self._counts)


def families(counts: Counts) -> Iterator[Metric]:
    """The numbers as metrics."""
    answers = CounterMetricFamily("dns_answers", "Questions by what answered them.", labels=["by"])
    for by in ("packed", "built", "kept", "stale", "failed", "refused"):
        answers.add_metric([by], getattr(counts, by))
    yield answers
    asked = CounterMetricFamily(
        "dns_upstream_requests",
        "Questions to name servers by what came of them.",
        labels=["server", "outcome"],
    )
    for (server, outcome), number in sorted(counts.asked.items()):
        asked.add_metric([server, outcome], number)
    yield asked
    yield GaugeMetricFamily("dns_names", "Names of the cluster with records.", value=counts.names)
