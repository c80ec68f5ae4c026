"""FlowSchema: which requests belong to which level of priority.

Kept and validated for clients that manage them. This server shares its seats among its clients by
itself (`control/http/fairness.py`), and says so to whoever writes one.
"""

from typing import Annotated, Any

from appliance.api import faults
from appliance.api.errors import Cause
from appliance.api.kind import Column, Kind, Subresource
from appliance.api.kinds import checks
from appliance.api.kinds.cells import age
from appliance.api.meta import KubeObject
from appliance.api.schema import F, Int32, Message, Time, always, nullable

NO_EFFECT = "this server shares its seats by itself: objects of flowcontrol have no effect"
DISTINGUISHERS = ("ByNamespace", "ByUser")
SUBJECTS = ("Group", "ServiceAccount", "User")
_LOWEST_PRECEDENCE = 10_000


class PriorityLevelConfigurationReference(Message):
    """Names a level."""

    name: Annotated[str, F(1, "Its name.", required=True)] = always(str)


class FlowDistinguisherMethod(Message):
    """How flows of a schema are told apart."""

    type: Annotated[str, F(1, "ByUser or ByNamespace.", required=True)] = always(str)


class UserSubject(Message):
    """A user."""

    name: Annotated[str, F(1, "The user's name, or *.", required=True)] = always(str)


class GroupSubject(Message):
    """A group of users."""

    name: Annotated[str, F(1, "The group's name, or *.", required=True)] = always(str)


class ServiceAccountSubject(Message):
    """A service account."""

    namespace: Annotated[str, F(1, "Its namespace.", required=True)] = always(str)
    name: Annotated[str, F(2, "Its name, or *.", required=True)] = always(str)


class Subject(Message):
    """Whose requests are meant."""

    kind: Annotated[str, F(1, "User, Group or ServiceAccount.", required=True)] = always(str)
    user: Annotated[UserSubject | None, F(2, "The user.")] = None
    group: Annotated[GroupSubject | None, F(3, "The group.")] = None
    serviceAccount: Annotated[ServiceAccountSubject | None, F(4, "The account.")] = None


class ResourcePolicyRule(Message):
    """Requests for resources."""

    verbs: Annotated[list[str], F(1, "Their verbs, or *.", required=True, list_type="set")] = (
        always(list)
    )
    apiGroups: Annotated[
        list[str], F(2, "Groups of the resources, or *.", required=True, list_type="set")
    ] = always(list)
    resources: Annotated[
        list[str], F(3, "The resources, or *.", required=True, list_type="set")
    ] = always(list)
    clusterScope: Annotated[bool, F(4, "Whether those without a namespace are meant.")] = False
    namespaces: Annotated[
        list[str], F(5, "Namespaces of the resources, or *.", list_type="set")
    ] = []


class NonResourcePolicyRule(Message):
    """Requests for plain paths."""

    verbs: Annotated[list[str], F(1, "Their verbs, or *.", required=True, list_type="set")] = (
        always(list)
    )
    nonResourceURLs: Annotated[
        list[str], F(6, "The paths, or *.", required=True, list_type="set")
    ] = always(list)


class PolicyRulesWithSubjects(Message):
    """Requests by whom and for what."""

    subjects: Annotated[list[Subject], F(1, "By whom.", required=True, list_type="atomic")] = (
        always(list)
    )
    resourceRules: Annotated[
        list[ResourcePolicyRule], F(2, "For which resources.", list_type="atomic")
    ] = []
    nonResourceRules: Annotated[
        list[NonResourcePolicyRule], F(3, "For which paths.", list_type="atomic")
    ] = []


class FlowSchemaSpec(Message):
    """Which requests belong where."""

    priorityLevelConfiguration: Annotated[
        PriorityLevelConfigurationReference, F(1, "The level.", required=True)
    ] = always(PriorityLevelConfigurationReference)
    matchingPrecedence: Annotated[
        Int32, F(2, "The lowest of those that fit decides; 1 to 10000.")
    ] = always(int)
    distinguisherMethod: Annotated[
        FlowDistinguisherMethod | None, F(3, "How flows are told apart.")
    ] = None
    rules: Annotated[
        list[PolicyRulesWithSubjects], F(4, "Which requests.", list_type="atomic")
    ] = []


class FlowSchemaCondition(Message):
    """One aspect of a schema."""

    type: Annotated[str, F(1, "Which aspect.")] = ""
    status: Annotated[str, F(2, "True, False or Unknown.")] = ""
    lastTransitionTime: Annotated[Time | None, F(3, "When the status last changed.")] = nullable()
    reason: Annotated[str, F(4, "Why, as one word.")] = ""
    message: Annotated[str, F(5, "Why, for people.")] = ""


class FlowSchemaStatus(Message):
    """How a schema is."""

    conditions: Annotated[
        list[FlowSchemaCondition],
        F(
            1,
            "How it is, aspect by aspect.",
            merge=True,
            merge_key="type",
            list_type="map",
            list_keys=("type",),
        ),
    ] = []


class FlowSchema(KubeObject):
    """Which requests belong to which level of priority."""

    spec: Annotated[FlowSchemaSpec, F(2, "What is wanted.")] = always(FlowSchemaSpec)
    status: Annotated[FlowSchemaStatus, F(3, "What was seen.")] = always(FlowSchemaStatus)


def _cells(obj: FlowSchema, now: float) -> list[Any]:
    spec = obj.spec
    method = spec.distinguisherMethod.type if spec.distinguisherMethod else "<none>"
    dangling = next((c.status for c in obj.status.conditions if c.type == "Dangling"), "?")
    level = spec.priorityLevelConfiguration.name
    return [obj.metadata.name, level, spec.matchingPrecedence, method, age(obj, now), dangling]


def _set_defaults(obj: FlowSchema) -> None:
    obj.spec.matchingPrecedence = obj.spec.matchingPrecedence or 1000


def _prepare_create(obj: FlowSchema) -> None:
    obj.status = FlowSchemaStatus()


def _validate(obj: FlowSchema) -> list[Cause]:
    spec = obj.spec
    path = "spec.priorityLevelConfiguration.name"
    found = [*checks.required(spec.priorityLevelConfiguration.name, path)]
    if not 1 <= spec.matchingPrecedence <= _LOWEST_PRECEDENCE:
        why = (
            "must be a positive value"
            if spec.matchingPrecedence < 1
            else (f"must not be greater than {_LOWEST_PRECEDENCE}")
        )
        found.append(faults.wrong("spec.matchingPrecedence", spec.matchingPrecedence, why))
    if spec.distinguisherMethod is not None:
        here = "spec.distinguisherMethod"
        found += checks.one_of(spec.distinguisherMethod.type, DISTINGUISHERS, here)
    for index, rule in enumerate(spec.rules):
        found += _rule(rule, f"spec.rules[{index}]")
    return found


def _rule(rule: PolicyRulesWithSubjects, path: str) -> list[Cause]:
    found = [*checks.required(rule.subjects, f"{path}.subjects")]
    for index, subject in enumerate(rule.subjects):
        found += checks.one_of(subject.kind, SUBJECTS, f"{path}.subjects[{index}].kind")
    if not rule.resourceRules and not rule.nonResourceRules:
        why = "at least one of resourceRules and nonResourceRules has to be non-empty"
        found.append(faults.required(path, why))
    for index, each in enumerate(rule.resourceRules):
        here = f"{path}.resourceRules[{index}]"
        for word in ("verbs", "apiGroups", "resources"):
            found += checks.required(getattr(each, word), f"{here}.{word}")
        if not each.clusterScope and not each.namespaces:
            why = "resource rules that are not cluster scoped must supply at least one namespace"
            found.append(faults.required(f"{here}.namespaces", why))
    for index, plain in enumerate(rule.nonResourceRules):
        for word in ("verbs", "nonResourceURLs"):
            here = f"{path}.nonResourceRules[{index}].{word}"
            found += checks.required(getattr(plain, word), here)
    return found


FLOW_SCHEMA = Kind(
    group="flowcontrol.apiserver.k8s.io",
    version="v1",
    kind="FlowSchema",
    plural="flowschemas",
    singular="flowschema",
    namespaced=False,
    type=FlowSchema,
    subresources=(Subresource(name="status", verbs=("get", "patch", "update"), kind="FlowSchema"),),
    columns=(
        Column("Name", format="name"),
        Column("PriorityLevel"),
        Column("MatchingPrecedence", "integer"),
        Column("DistinguisherMethod"),
        Column("Age"),
        Column("MissingPL"),
    ),
    cells=_cells,
    set_defaults=_set_defaults,
    prepare_create=_prepare_create,
    validate=_validate,
    validate_update=lambda new, _old: _validate(new),
    warn=lambda _obj: [NO_EFFECT],
)
