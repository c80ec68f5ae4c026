"""Profiles from a file in the form of upstream's KubeSchedulerConfiguration. Pure.

    apiVersion: kubescheduler.config.k8s.io/v1
    kind: KubeSchedulerConfiguration
    profiles:
    - schedulerName: default-scheduler
    - schedulerName: packing
      pluginConfig:
      - name: NodeResourcesFit
        args: {scoringStrategy: {type: MostAllocated}}
      plugins:
        score: {disabled: [{name: NodeResourcesBalancedAllocation}]}

Of `plugins` the points filter, score, postFilter and multiPoint are heeded; a plugin is enabled by
default, so `enabled` is for weights. What has no meaning in one process (leaderElection,
clientConnection, parallelism …) is read over; anything else that we do not know is an error.
Source: Kubernetes documentation, "Scheduler Configuration". Called by assembly.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import msgspec

from appliance.control.scheduler import scores
from appliance.control.scheduler.base import Score
from appliance.control.scheduler.company import BOND, liked_company
from appliance.control.scheduler.profile import FILTERS, NAME, SCORES, Profile
from appliance.kit.backoff import Backoff

RETRY = Backoff(base_s=1.0, maximum_s=10.0)
"""How long a pod that fits nowhere rests at the least."""

PREEMPTION = "DefaultPreemption"
_UNUSED = ("leaderElection", "clientConnection", "parallelism", "enableProfiling",
           "enableContentionProfiling", "healthzBindAddress", "metricsBindAddress",
           "delayCacheUntilActive")  # fmt: skip


class _Strict(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    pass


class _Plugin(_Strict, frozen=True):
    name: str
    weight: int = 0


class _Point(_Strict, frozen=True):
    enabled: tuple[_Plugin, ...] = ()
    disabled: tuple[_Plugin, ...] = ()


class _Plugins(_Strict, frozen=True):
    filter: _Point = _Point()
    score: _Point = _Point()
    post_filter: _Point = _Point()
    multi_point: _Point = _Point()


class _Config(_Strict, frozen=True):
    name: str
    args: dict[str, Any] = {}


class _Profile(_Strict, frozen=True):
    scheduler_name: str = NAME
    percentage_of_nodes_to_score: int | None = None
    plugins: _Plugins = _Plugins()
    plugin_config: tuple[_Config, ...] = ()


class _File(_Strict, frozen=True):
    api_version: Literal["kubescheduler.config.k8s.io/v1"]
    kind: Literal["KubeSchedulerConfiguration"]
    percentage_of_nodes_to_score: int = 0
    pod_initial_backoff_seconds: int = 1
    pod_max_backoff_seconds: int = 10
    profiles: tuple[_Profile, ...] = (_Profile(),)


class _Resource(_Strict, frozen=True):
    name: str
    weight: int = 1


class _ShapePoint(_Strict, frozen=True):
    utilization: int
    score: int


class _Ratio(_Strict, frozen=True):
    shape: tuple[_ShapePoint, ...]


class _Strategy(_Strict, frozen=True):
    type: Literal["LeastAllocated", "MostAllocated", "RequestedToCapacityRatio"] = "LeastAllocated"
    resources: tuple[_Resource, ...] = ()
    requested_to_capacity_ratio: _Ratio | None = None


class _FitArgs(_Strict, frozen=True):
    scoring_strategy: _Strategy = _Strategy()


class _CompanyArgs(_Strict, frozen=True):
    hard_pod_affinity_weight: int = BOND


@dataclass(frozen=True, slots=True)
class Settings:
    """How the scheduler is to be."""

    profiles: tuple[Profile, ...] = (Profile(),)
    retry: Backoff = RETRY


def read_settings(body: Any) -> Settings:
    """Make profiles of a parsed file.

    Raises:
        ValueError: it is no such file, or asks for what is not there.
    """
    if isinstance(body, dict):
        body = {name: value for name, value in body.items() if name not in _UNUSED}
    try:
        file = msgspec.convert(body, _File)
        profiles = tuple(_profile(wanted, file) for wanted in file.profiles)
    except msgspec.ValidationError as error:
        raise ValueError(f"no KubeSchedulerConfiguration: {error}") from error
    names = [profile.name for profile in profiles]
    if len(set(names)) < len(names) or not names:
        raise ValueError("profiles: each needs a schedulerName of its own, and there must be one")
    first, longest = file.pod_initial_backoff_seconds, file.pod_max_backoff_seconds
    if not 0 < first <= longest:
        raise ValueError("podInitialBackoffSeconds must be from 1 to podMaxBackoffSeconds")
    return Settings(profiles, Backoff(base_s=float(first), maximum_s=float(longest)))


def _profile(wanted: _Profile, file: _File) -> Profile:
    where = f"profiles[{wanted.scheduler_name}]"
    config = {one.name: one.args for one in wanted.plugin_config}
    rated = {
        "NodeResourcesFit": _room(config.pop("NodeResourcesFit", {}), where),
        "InterPodAffinity": _company(config.pop("InterPodAffinity", {})),
    }
    if config:
        raise ValueError(f"{where}.pluginConfig: nothing can be set of {', '.join(sorted(config))}")
    plugins = wanted.plugins
    _check_names(plugins, where)
    percent = wanted.percentage_of_nodes_to_score
    if percent is None:
        percent = file.percentage_of_nodes_to_score
    if not 0 <= percent <= 100:
        raise ValueError(f"{where}.percentageOfNodesToScore must be from 0 to 100")
    return Profile(
        name=wanted.scheduler_name,
        filters=tuple(f for f in FILTERS if not _is_off(f.name, plugins, plugins.filter)),
        scores=_weighed(plugins, rated),
        preempts=not _is_off(PREEMPTION, plugins, plugins.post_filter),
        percent=percent,
    )


def _weighed(plugins: _Plugins, rated: Mapping[str, Score]) -> tuple[tuple[Score, int], ...]:
    weights = {p.name: p.weight for p in (*plugins.multi_point.enabled, *plugins.score.enabled)}
    return tuple(
        (rated.get(score.name, score), weights.get(score.name) or weight)
        for score, weight in SCORES
        if not _is_off(score.name, plugins, plugins.score)
    )


def _is_off(name: str, plugins: _Plugins, point: _Point) -> bool:
    """Disabled at this point or at all points, and not enabled again."""
    for one in (point, plugins.multi_point):
        if any(p.name == name for p in one.enabled):
            return False
        if any(p.name in {name, "*"} for p in one.disabled):
            return True
    return False


def _check_names(plugins: _Plugins, where: str) -> None:
    known = {PREEMPTION, "*"} | {f.name for f in FILTERS} | {s.name for s, _ in SCORES}
    points: Sequence[_Point] = (
        plugins.filter,
        plugins.score,
        plugins.post_filter,
        plugins.multi_point,
    )
    for point in points:
        for plugin in (*point.enabled, *point.disabled):
            if plugin.name not in known:
                listed = ", ".join(sorted(known))
                raise ValueError(f"{where}.plugins: no plugin {plugin.name} here; known: {listed}")


def _room(args: Mapping[str, Any], where: str) -> Score:
    strategy = msgspec.convert(_plain(args), _FitArgs).scoring_strategy
    weights = {r.name: r.weight for r in strategy.resources} or scores.EVEN
    if any(weight < 1 for weight in weights.values()):
        raise ValueError(f"{where}: weights of resources must be 1 or more")
    if strategy.type == "MostAllocated":
        return scores.most_allocated(weights)
    if strategy.type == "LeastAllocated":
        return scores.least_allocated(weights)
    ratio = strategy.requested_to_capacity_ratio
    points = [(p.utilization, p.score) for p in ratio.shape] if ratio else []
    rising = all(a[0] < b[0] for a, b in pairwise(points))
    if not points or not rising or not all(0 <= s <= 10 for _, s in points):
        raise ValueError(
            f"{where}: requestedToCapacityRatio.shape needs points of rising utilization "
            "with scores from 0 to 10"
        )
    return scores.by_shape(points, weights)


def _company(args: Mapping[str, Any]) -> Score:
    return liked_company(msgspec.convert(_plain(args), _CompanyArgs).hard_pod_affinity_weight)


def _plain(args: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments may name their own kind."""
    return {name: value for name, value in args.items() if name not in {"apiVersion", "kind"}}
