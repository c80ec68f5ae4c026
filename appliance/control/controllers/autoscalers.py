"""HorizontalPodAutoscaler: set the replicas of anything with a scale by what its pods use.

Looks every `EVERY_S` (nobody tells us of use, it must be asked for), at once when the spec
changes. CPU and memory, of pods or of one container, come from the nodes; metrics from other
sources need an adapter that this cluster does not have, and the conditions say so. What
`scalemetrics` asks for goes through `scalepace` to the scale sub-resource.

Source: kubernetes `pkg/controller/podautoscaler/horizontal.go`.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from appliance.api import labels
from appliance.api.errors import ApiError
from appliance.api.kind import Kind, ScaleNumbers
from appliance.api.kinds.autoscaling.horizontalpodautoscaler_v2 import HORIZONTAL_POD_AUTOSCALER_V2
from appliance.api.kinds.autoscaling.hpa_metrics_v2 import MetricStatus
from appliance.api.kinds.autoscaling.hpa_spec_v2 import (
    HorizontalPodAutoscaler,
    HorizontalPodAutoscalerCondition,
    HorizontalPodAutoscalerStatus,
)
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.objects import set_condition
from appliance.api.scaling import numbers_of
from appliance.client.base import Client, clone
from appliance.client.cache import key_of
from appliance.client.controller import DONE, Result, Watch
from appliance.client.events import NORMAL, WARNING, Recorder, reference
from appliance.client.informer import Informers
from appliance.control.controllers import scalemetrics, scalepace, scalewish
from appliance.control.controllers.scalemetrics import PodUse, Unmeasured
from appliance.control.controllers.scalewish import Wish
from appliance.kit.clock import Clock, rfc3339

EVERY_S = 15.0
"""As often as upstream looks."""

Uses = Callable[[Sequence[Pod]], Awaitable[Mapping[str, PodUse]]]
"""Asks the nodes what pods use: by uid, without those that are not measured."""


class Unscalable(Exception):
    """The target has no scale."""


@dataclass(slots=True)
class _Look:
    """One look at one autoscaler: what it scales, and the status that comes of it."""

    scaler: HorizontalPodAutoscaler
    status: HorizontalPodAutoscalerStatus
    kind: Kind[Any]
    numbers: ScaleNumbers


class Autoscalers:
    """Every autoscaler."""

    name = "horizontal-pod-autoscaler"

    def __init__(
        self,
        client: Client,
        informers: Informers,
        *,
        clock: Clock,
        recorder: Recorder,
        kinds: Callable[[], Sequence[Kind[Any]]],
        uses: Uses,
    ) -> None:
        self._client = client
        self._clock = clock
        self._recorder = recorder
        self._kinds = kinds
        self._uses = uses
        self._scalers = informers.of(HORIZONTAL_POD_AUTOSCALER_V2)
        self._pods = informers.of(POD)
        self._pasts: dict[str, scalepace.Past] = {}

    def watches(self) -> Sequence[Watch]:
        """The autoscalers; their own status wakes nobody."""
        return [
            Watch(
                self._scalers,
                lambda scaler: [key_of(scaler)],
                lambda old, new: old is None or new is None or old.spec != new.spec,
            )
        ]

    async def reconcile(self, key: str) -> Result:
        """Look at one."""
        scaler = self._scalers.cache.get(key)
        if scaler is None or scaler.metadata.deletionTimestamp is not None:
            self._pasts.pop(key, None)
            return DONE
        status = clone(scaler.status)
        try:
            kind, numbers = await self._target(scaler)
        except (ApiError, Unscalable) as error:
            self._say(scaler, WARNING, "FailedGetScale", str(error))
            why = f"the HPA controller was unable to get the target's current scale: {error}"
            self._judge(status, "AbleToScale", (False, "FailedGetScale", why))
        else:
            why = "the HPA controller was able to get the target's current scale"
            self._judge(status, "AbleToScale", (True, "SucceededGetScale", why))
            await self._scale(_Look(scaler, status, kind, numbers))
        await self._write(scaler, status)
        return Result(again_in_s=EVERY_S)

    async def _target(self, scaler: HorizontalPodAutoscaler) -> tuple[Kind[Any], ScaleNumbers]:
        target, namespace = scaler.spec.scaleTargetRef, scaler.metadata.namespace
        for kind in self._kinds():
            if (kind.api_version, kind.kind) == (target.apiVersion, target.kind):
                if all(one.name != "scale" for one in kind.subresources):
                    raise Unscalable(f"{kind.plural} have no scale")
                found = await self._client.get(kind, target.name, namespace)
                return kind, numbers_of(kind, found)
        raise Unscalable(f'no matches for kind "{target.kind}" in version "{target.apiVersion}"')

    async def _scale(self, look: _Look) -> None:
        """Decide and act; the status says what was seen and done."""
        spec, status, wanted = look.scaler.spec, look.status, look.numbers.wanted
        least = 1 if spec.minReplicas is None else spec.minReplicas
        status.currentReplicas = look.numbers.seen
        if wanted == 0 and least != 0:
            why = "scaling is disabled since the replica count of the target is zero"
            self._judge(status, "ScalingActive", (False, "ScalingDisabled", why))
            status.desiredReplicas = 0
            return
        if wanted > spec.maxReplicas:
            desired, reason = spec.maxReplicas, "Current number of replicas above Spec.MaxReplicas"
        elif wanted < least:
            desired, reason = least, "Current number of replicas below Spec.MinReplicas"
        else:
            desired, reason = await self._measured(look)
        status.desiredReplicas = desired
        if desired != wanted:
            await self._rescale(look, desired, reason)

    async def _measured(self, look: _Look) -> tuple[int, str]:
        """The number that the metrics ask for at their pace, and the words for it."""
        wanted = look.numbers.wanted
        wish = await self._wish(look)
        if wish is None:
            return wanted, ""
        look.status.currentMetrics = wish.seen or None
        past = self._pasts.setdefault(key_of(look.scaler), scalepace.Past())
        now = self._clock.wall()
        verdict = scalepace.pace(
            look.scaler.spec, past, current=wanted, wish=wish.replicas, now=now
        )
        self._judge(look.status, "AbleToScale", (True, *verdict.able))
        self._judge(look.status, "ScalingLimited", verdict.limited)
        grows = verdict.replicas > wanted
        return verdict.replicas, f"{wish.metric} above target" if grows else _BELOW

    async def _rescale(self, look: _Look, desired: int, reason: str) -> None:
        scaler, status, before = look.scaler, look.status, look.numbers.wanted
        name, namespace = scaler.spec.scaleTargetRef.name, scaler.metadata.namespace
        step = f"New size: {desired}; reason: {reason}"
        body = {"spec": {"replicas": desired}}
        try:
            await self._client.patch(
                look.kind, name, body, namespace=namespace, subresource="scale"
            )
        except ApiError as error:
            self._say(scaler, WARNING, "FailedRescale", f"{step}; error: {error}")
            why = f"the HPA controller was unable to update the target scale: {error}"
            self._judge(status, "AbleToScale", (False, "FailedUpdateScale", why))
            status.desiredReplicas = before
            return
        self._say(scaler, NORMAL, "SuccessfulRescale", step)
        why = f"the HPA controller was able to update the target scale to {desired}"
        self._judge(status, "AbleToScale", (True, "SucceededRescale", why))
        now = self._clock.wall()
        status.lastScaleTime = rfc3339(now)
        past = self._pasts.setdefault(key_of(scaler), scalepace.Past())
        past.changes.append((now, desired - before))

    async def _wish(self, look: _Look) -> Wish | None:
        """What all metrics ask for; while one fails, the number does not get smaller."""
        spec, wanted = look.scaler.spec, look.numbers.wanted
        pods = self._pods_of(look.scaler.metadata.namespace, look.numbers.selector)
        uses = await self._uses(pods)
        best: tuple[int, str] | None = None
        seen: list[MetricStatus] = []
        faults: list[tuple[str, str]] = []
        for metric in spec.metrics:
            try:
                aim = scalewish.aim_of(spec, metric)
                now = self._clock.wall()
                asked = scalemetrics.propose(pods, uses, aim, current=wanted, now=now)
            except Unmeasured as error:
                faults.append(scalewish.fault_of(metric, error))
                seen.append(scalewish.seen_of(metric, None))
                continue
            seen.append(scalewish.seen_of(metric, asked))
            if best is None or asked.replicas > best[0]:
                best = (asked.replicas, scalewish.name_of(aim))
        for reason, why in faults:
            self._say(look.scaler, WARNING, reason, why)
        if best is None or (faults and best[0] < wanted):
            self._give_up(look, faults)
            return None
        why = f"the HPA was able to successfully calculate a replica count from {best[1]}"
        self._judge(look.status, "ScalingActive", (True, "ValidMetricFound", why))
        return Wish(*best, seen)

    def _give_up(self, look: _Look, faults: Sequence[tuple[str, str]]) -> None:
        reason, why = faults[0]
        given = len(look.scaler.spec.metrics)
        told = f"invalid metrics ({len(faults)} invalid out of {given}), first error is: {why}"
        self._say(look.scaler, WARNING, "FailedComputeMetricsReplicas", told)
        why = f"the HPA was unable to compute the replica count: {why}"
        self._judge(look.status, "ScalingActive", (False, reason, why))

    def _pods_of(self, namespace: str, selector: str) -> list[Pod]:
        chosen = labels.parse(selector)
        every = self._pods.cache.list(namespace)
        return [pod for pod in every if chosen.matches(pod.metadata.labels)]

    def _say(self, scaler: HorizontalPodAutoscaler, kind: str, reason: str, message: str) -> None:
        about = reference(HORIZONTAL_POD_AUTOSCALER_V2, scaler)
        self._recorder.record(about, kind, reason, message)

    def _judge(
        self, status: HorizontalPodAutoscalerStatus, aspect: str, said: tuple[bool, str, str]
    ) -> None:
        holds, reason, message = said
        new = HorizontalPodAutoscalerCondition(
            type=aspect,
            status="True" if holds else "False",
            lastTransitionTime=rfc3339(self._clock.wall()),
            reason=reason,
            message=message,
        )
        set_condition(status.conditions, new)

    async def _write(
        self, scaler: HorizontalPodAutoscaler, status: HorizontalPodAutoscalerStatus
    ) -> None:
        if scalewish.steady(scaler.status.currentMetrics, status.currentMetrics):
            same = msgspec.structs.replace(status, currentMetrics=scaler.status.currentMetrics)
            if same == scaler.status:
                return
        new = clone(scaler)
        new.status = status
        await self._client.update(HORIZONTAL_POD_AUTOSCALER_V2, new, subresource="status")


_BELOW = "All metrics below target"
