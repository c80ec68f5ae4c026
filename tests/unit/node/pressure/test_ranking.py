from typing import Any

from appliance.api.kinds.core.pod.container import ResourceRequirements
from appliance.node.pressure.levels import MEMORY, Level
from appliance.node.pressure.ranking import SYSTEM_CRITICAL, Use, message, ranked
from appliance.node.pressure.thresholds import parse_thresholds
from appliance.node.sources.base import SOURCE
from tests.unit.node.stage import pod, wish


def use(name: str, used: int, asked: int = 0, **spec: Any) -> Use:
    return Use(pod(name=name, uid=name, **spec), {"web": used}, asked)


def names(*uses: Use) -> list[str]:
    return [one.pod.metadata.name for one in ranked(uses)]


def test_who_exceeds_goes_before_who_does_not_whatever_the_priority() -> None:
    assert names(use("modest", 50, asked=100), use("greedy", 101, asked=100, priority=1000)) == [
        "greedy",
        "modest",
    ]


def test_then_the_less_important_then_by_how_much() -> None:
    assert names(
        use("vital", 900, asked=100, priority=10),
        use("little over", 120, asked=100),
        use("far over", 400, asked=100),
        use("no request", 150),
    ) == ["far over", "no request", "little over", "vital"]


def test_critical_pods_stay() -> None:
    static = use("static", 900)
    static.pod.metadata.annotations[SOURCE] = "file"
    assert names(static, use("system", 900, priority=SYSTEM_CRITICAL), use("plain", 1)) == ["plain"]


def test_the_message_names_what_was_short_and_who_took_it() -> None:
    requests = ResourceRequirements(requests={"memory": "64Mi"})
    made = pod(wish("web", resources=requests), wish("idle"))
    (threshold,) = parse_thresholds("memory.available<100Mi")
    text = message(Use(made, {"web": 128 << 20}, 64 << 20), threshold, Level(50 << 20, 1 << 30))
    assert text == (
        "The node was low on resource: memory. Threshold quantity: 100Mi, available: 51200Ki. "
        "Container web was using 131072Ki, request is 65536Ki, has larger consumption of memory. "
    )
    assert threshold.signal == MEMORY
