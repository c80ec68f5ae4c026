"""PodDisruptionBudget: bounds how many pods of a set may be down at a time by intent."""

from typing import Annotated, Any

from appliance.api import faults
from appliance.api.errors import Cause
from appliance.api.kind import Column, Kind, Subresource
from appliance.api.kinds import checks, workloads
from appliance.api.kinds.cells import age
from appliance.api.meta import Condition, KubeObject, LabelSelector
from appliance.api.schema import F, Int32, Int64, IntOrString, Message, Time, always


class PodDisruptionBudgetSpec(Message):
    """What is wanted of a budget."""

    minAvailable: Annotated[
        IntOrString | None,
        F(1, "How many pods must stay, as a number or a percentage; not with maxUnavailable."),
    ] = None
    selector: Annotated[
        LabelSelector | None,
        F(2, "Labels of the pods that it is about; empty for all of the namespace."),
    ] = None
    maxUnavailable: Annotated[
        IntOrString | None, F(3, "How many pods may be missing, as a number or a percentage.")
    ] = None
    unhealthyPodEvictionPolicy: Annotated[
        str | None,
        F(4, "Whether pods that are not ready may always go: IfHealthyBudget or AlwaysAllow."),
    ] = None


class PodDisruptionBudgetStatus(Message):
    """What a budget allows now."""

    observedGeneration: Annotated[Int64, F(1, "Generation of the spec that this is about.")] = 0
    disruptedPods: Annotated[
        dict[str, Time],
        F(2, "Pods whose eviction was granted and that are not gone yet, with the time."),
    ] = {}
    disruptionsAllowed: Annotated[Int32, F(3, "How many evictions are allowed now.")] = always(int)
    currentHealthy: Annotated[Int32, F(4, "Pods that are healthy.")] = always(int)
    desiredHealthy: Annotated[Int32, F(5, "Pods that must be healthy.")] = always(int)
    expectedPods: Annotated[Int32, F(6, "Pods that it is about.")] = always(int)
    conditions: Annotated[
        list[Condition],
        F(
            7,
            "How it is, aspect by aspect.",
            merge=True,
            merge_key="type",
            list_type="map",
            list_keys=("type",),
        ),
    ] = []


class PodDisruptionBudget(KubeObject):
    """Bounds how many pods of a set may be down at a time by intent."""

    spec: Annotated[PodDisruptionBudgetSpec, F(2, "What is wanted.")] = always(
        PodDisruptionBudgetSpec
    )
    status: Annotated[PodDisruptionBudgetStatus, F(3, "What was seen last.")] = always(
        PodDisruptionBudgetStatus
    )


POLICIES = ("AlwaysAllow", "IfHealthyBudget")


def _cells(obj: PodDisruptionBudget, now: float) -> list[Any]:
    least, most = obj.spec.minAvailable, obj.spec.maxUnavailable
    return [
        obj.metadata.name,
        "N/A" if least is None else str(least),
        "N/A" if most is None else str(most),
        obj.status.disruptionsAllowed,
        age(obj, now),
    ]


def _prepare_create(obj: PodDisruptionBudget) -> None:
    obj.status = PodDisruptionBudgetStatus()


def _validate(obj: PodDisruptionBudget) -> list[Cause]:
    spec = obj.spec
    found: list[Cause] = []
    if spec.minAvailable is not None and spec.maxUnavailable is not None:
        why = "minAvailable and maxUnavailable cannot be both set"
        found.append(faults.wrong("spec", workloads.shown(spec), why))
    for name in ("minAvailable", "maxUnavailable"):
        value = getattr(spec, name)
        found += workloads.count_or_percent(value, f"spec.{name}")
        found += workloads.at_most_all(value, f"spec.{name}")
    policy = spec.unhealthyPodEvictionPolicy
    if policy is not None and policy not in POLICIES:
        found.append(faults.unsupported("spec.unhealthyPodEvictionPolicy", policy, POLICIES))
    return [*found, *checks.selector(spec.selector, "spec.selector")]


def _validate_update(new: PodDisruptionBudget, _old: PodDisruptionBudget) -> list[Cause]:
    return _validate(new)


def _validate_status(new: PodDisruptionBudget, _old: PodDisruptionBudget) -> list[Cause]:
    every = ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")
    return list(workloads.counts(new.status, every))


POD_DISRUPTION_BUDGET = Kind(
    group="policy",
    version="v1",
    kind="PodDisruptionBudget",
    plural="poddisruptionbudgets",
    singular="poddisruptionbudget",
    namespaced=True,
    type=PodDisruptionBudget,
    short_names=("pdb",),
    subresources=(
        Subresource(name="status", verbs=("get", "patch", "update"), kind="PodDisruptionBudget"),
    ),
    columns=(
        Column("Name", format="name"),
        Column("Min Available"),
        Column("Max Unavailable"),
        Column("Allowed Disruptions", "integer"),
        Column("Age"),
    ),
    cells=_cells,
    prepare_create=_prepare_create,
    validate=_validate,
    validate_update=_validate_update,
    validate_status=_validate_status,
    unconditional_update=False,
    repeats_meta_faults=False,
)
