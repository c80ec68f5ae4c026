"""Profiles from a file: what can be set, and what is said of the rest."""

import re
from typing import Any

import pytest

from appliance.control.scheduler.algorithm import Chosen, Unfit
from appliance.control.scheduler.settings import read_settings
from tests.unit.control.scheduler.world import node, place, pod, views

HEAD = {"apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration"}


def test_least_allocated_spreads_and_most_allocated_packs() -> None:
    packing = {"type": "MostAllocated"}
    body = {"profiles": [
        {},
        {"schedulerName": "packing",
         "pluginConfig": [{"name": "NodeResourcesFit", "args": {"scoringStrategy": packing}}],
         "plugins": {"score": {"disabled": [{"name": "NodeResourcesBalancedAllocation"}]}}},
    ]}  # fmt: skip
    spreading, packs = read_settings(HEAD | body).profiles
    assert (spreading.name, packs.name) == ("default-scheduler", "packing")
    busy = pod("busy", "x", cpu="2")
    nodes = [node("a"), node("b")]
    one = pod("new", "web", cpu="1")
    assert place(one, views(nodes, a=[busy]), profile=spreading) == Chosen("b")
    assert place(one, views(nodes, a=[busy]), profile=packs) == Chosen("a")


def test_a_curve_says_how_full_is_best() -> None:
    shape = [{"utilization": 0, "score": 0}, {"utilization": 50, "score": 10},
             {"utilization": 100, "score": 0}]  # fmt: skip
    strategy = {
        "type": "RequestedToCapacityRatio",
        "resources": [{"name": "cpu", "weight": 1}],
        "requestedToCapacityRatio": {"shape": shape},
    }
    config = [{"name": "NodeResourcesFit", "args": {"scoringStrategy": strategy}}]
    off = {"disabled": [{"name": "*"}], "enabled": [{"name": "NodeResourcesFit"}]}
    body = {"profiles": [{"pluginConfig": config, "plugins": {"score": off}}]}
    (profile,) = read_settings(HEAD | body).profiles
    there = views(
        [node("a"), node("b"), node("c")], b=[pod("x", "x", cpu="1")], c=[pod("y", "y", cpu="3")]
    )
    assert place(pod("new", "web", cpu="1"), there, profile=profile) == Chosen("b")


def test_rules_and_preemption_can_be_switched_off() -> None:
    off = {"filter": {"disabled": [{"name": "NodeResourcesFit"}]},
           "postFilter": {"disabled": [{"name": "DefaultPreemption"}]}}  # fmt: skip
    (profile,) = read_settings(HEAD | {"profiles": [{"plugins": off}]}).profiles
    assert place(pod("new", "web", cpu="64"), views([node("a")]), profile=profile) == Chosen("a")
    assert not profile.preempts
    (usual,) = read_settings(HEAD).profiles
    assert isinstance(place(pod("new", "web", cpu="64"), views([node("a")]), profile=usual), Unfit)


def test_sampling_and_rests_can_be_set() -> None:
    body = {"percentageOfNodesToScore": 10, "podInitialBackoffSeconds": 2, "leaderElection": {}}
    settings = read_settings(HEAD | body)
    assert settings.profiles[0].enough(5000) == 500
    assert read_settings(HEAD).profiles[0].enough(1000) == 420
    assert read_settings(HEAD).profiles[0].enough(99) == 99
    assert settings.retry.delay(1) == 2.0


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"kind": "Other"}, "Invalid enum value 'Other' - at `$.kind`"),
        ({"extenders": []}, "unknown field `extenders`"),
        ({"profiles": [{}, {}]}, "a schedulerName of its own"),
        ({"profiles": [{"plugins": {"score": {"enabled": [{"name": "Mine"}]}}}]}, "no plugin Mine"),
        ({"profiles": [{"pluginConfig": [{"name": "NodeName"}]}]}, "can be set of NodeName"),
        ({"podInitialBackoffSeconds": 20}, "podInitialBackoffSeconds must be"),
        ({"percentageOfNodesToScore": 200}, "must be from 0 to 100"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(body: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        read_settings(HEAD | body)
