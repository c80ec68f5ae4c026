"""How large each replica set may be at each moment."""

from typing import Any

import msgspec
import pytest

from appliance.api.kinds.apps.deployment import Deployment
from appliance.api.kinds.apps.replicaset import ReplicaSet
from appliance.control.controllers import rollouts


def deployment(replicas: int, surge: int | str, missing: int | str) -> Deployment:
    rolling = {"maxSurge": surge, "maxUnavailable": missing}
    body = {"replicas": replicas, "strategy": {"type": "RollingUpdate", "rollingUpdate": rolling}}
    return msgspec.convert({"spec": body}, Deployment)


def a_set(name: str, replicas: int, available: int | None = None, **notes: int) -> ReplicaSet:
    marks = {f"deployment.kubernetes.io/{k}-replicas": str(v) for k, v in notes.items()}
    body: dict[str, Any] = {
        "metadata": {"name": name, "annotations": marks},
        "spec": {"replicas": replicas},
        "status": {
            "replicas": replicas,
            "availableReplicas": replicas if available is None else available,
        },
    }
    return msgspec.convert(body, ReplicaSet)


@pytest.mark.parametrize(
    ("replicas", "surge", "missing", "most", "fewest"),
    [
        (10, "25%", "25%", 13, 8),
        (1, "25%", "25%", 2, 1),
        (4, 1, 0, 5, 4),
        (4, 0, 1, 4, 3),
        (4, "0%", "0%", 4, 3),
        (3, 0, "10%", 3, 2),
        (0, "25%", "25%", 0, 0),
        (2, 0, 5, 2, 0),
    ],
)
def test_bounds(replicas: int, surge: str, missing: str, most: int, fewest: int) -> None:
    limits = rollouts.bounds(deployment(replicas, surge, missing))
    assert (limits.most, limits.fewest) == (most, fewest)


def test_a_recreation_has_no_room_for_both() -> None:
    made = deployment(3, 1, 1)
    made.spec.strategy.type = "Recreate"
    assert rollouts.bounds(made) == rollouts.Bounds(replicas=3, surge=0, missing=0)


def test_the_new_set_grows_as_there_is_room() -> None:
    limits = rollouts.bounds(deployment(10, 3, 2))
    old = a_set("old", 10)
    assert rollouts.new_size(limits, None, [old]) == 3
    assert rollouts.new_size(limits, a_set("new", 3), [old, a_set("new", 3)]) == 3
    old = a_set("old", 8)
    assert rollouts.new_size(limits, a_set("new", 3), [old, a_set("new", 3)]) == 5
    assert rollouts.new_size(limits, a_set("new", 12), [a_set("new", 12)]) == 10


def test_old_sets_shrink_as_far_as_enough_are_available() -> None:
    limits = rollouts.bounds(deployment(10, 3, 2))
    assert rollouts.old_sizes(limits, a_set("new", 3, 0), [a_set("old", 10)]) == {"old": 8}
    assert rollouts.old_sizes(limits, a_set("new", 5, 0), [a_set("old", 8)]) == {}
    assert rollouts.old_sizes(limits, a_set("new", 5, 5), [a_set("old", 8)]) == {"old": 3}


def test_broken_old_pods_go_first() -> None:
    limits = rollouts.bounds(deployment(10, 0, 2))
    old = [a_set("a", 5, 5), a_set("b", 5, 3)]
    assert rollouts.old_sizes(limits, a_set("new", 0, 0), old) == {"b": 3}


def test_a_change_of_number_is_spread_over_what_is_there() -> None:
    limits = rollouts.bounds(deployment(20, 0, 1))
    sets = [a_set("old", 6, maximum=0, max=10), a_set("new", 4, max=10)]
    assert rollouts.proportional(limits, sets[1], sets) == {"old": 12, "new": 8}
    limits = rollouts.bounds(deployment(5, 0, 1))
    assert rollouts.proportional(limits, sets[1], sets) == {"old": 3, "new": 2}
    limits = rollouts.bounds(deployment(0, 0, 1))
    assert rollouts.proportional(limits, sets[1], sets) == {"old": 0, "new": 0}
    assert rollouts.proportional(limits, sets[1], sets[1:]) == {"new": 0}


def test_the_same_template_has_the_same_name() -> None:
    made = deployment(1, 1, 1)
    made.spec.template.metadata.labels = {"app": "web"}
    mark = rollouts.template_hash(made.spec.template, 0)
    assert mark == rollouts.template_hash(made.spec.template, 0)
    assert mark != rollouts.template_hash(made.spec.template, 1)
    one = a_set("web", 1)
    one.spec.template = made.spec.template
    one.spec.template.metadata.labels = {"app": "web", rollouts.HASH_LABEL: mark}
    assert rollouts.of_template(deployment(1, 1, 1).spec.template, [one]) is None
    assert rollouts.of_template(made.spec.template, [one]) is one


def test_history_that_is_too_long() -> None:
    old = [a_set(f"r{number}", 0) for number in (1, 3, 2)]
    for one in old:
        one.metadata.annotations[rollouts.REVISION] = one.metadata.name[1:]
    busy = a_set("busy", 1)
    assert [s.metadata.name for s in rollouts.surplus_history([*old, busy], 2)] == ["r1", "r2"]
    assert rollouts.surplus_history(old, None) == []
