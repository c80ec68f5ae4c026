"""The four kinds of admission policies: rules about writes in the expression language.

A policy says what; a binding says where, with which values. What is done with them is in
`control/access/policies`.
"""

from typing import Annotated, Any

from appliance.api.kind import Column, Kind, Subresource
from appliance.api.kinds.admissionregistration import policy_rules as rules
from appliance.api.kinds.admissionregistration.policy_parts import (
    AuditAnnotation,
    MatchResources,
    Mutation,
    ParamKind,
    ParamRef,
    ValidatingAdmissionPolicyStatus,
    Validation,
    Variable,
)
from appliance.api.kinds.admissionregistration.webhook_parts import MatchCondition
from appliance.api.kinds.cells import age
from appliance.api.meta import KubeObject
from appliance.api.schema import F, Message, always

_GROUP, _CATEGORIES = "admissionregistration.k8s.io", ("api-extensions",)
_UNSET = "<unset>"


class ValidatingAdmissionPolicySpec(Message):
    """What must hold for writes."""

    paramKind: Annotated[ParamKind | None, F(1, "The kind of object with its values.")] = None
    matchConstraints: Annotated[MatchResources | None, F(2, "Which writes it is about.")] = None
    validations: Annotated[list[Validation], F(3, "What must hold.", list_type="atomic")] = []
    failurePolicy: Annotated[
        str | None, F(4, "What if it cannot be worked out: Fail or Ignore.")
    ] = None
    auditAnnotations: Annotated[
        list[AuditAnnotation], F(5, "What the audit log gets.", list_type="atomic")
    ] = []
    matchConditions: Annotated[
        list[MatchCondition],
        F(
            6,
            "Further conditions of being asked.",
            merge=True,
            merge_key="name",
            list_type="map",
            list_keys=("name",),
        ),
    ] = []
    variables: Annotated[
        list[Variable],
        F(
            7,
            "Values for other expressions.",
            merge=True,
            merge_key="name",
            list_type="map",
            list_keys=("name",),
        ),
    ] = []


class ValidatingAdmissionPolicy(KubeObject):
    """What must hold for writes, in the expression language."""

    spec: Annotated[ValidatingAdmissionPolicySpec, F(2, "What must hold.")] = always(
        ValidatingAdmissionPolicySpec
    )
    status: Annotated[ValidatingAdmissionPolicyStatus, F(3, "What is known of it.")] = always(
        ValidatingAdmissionPolicyStatus
    )


class ValidatingAdmissionPolicyBindingSpec(Message):
    """Where a policy holds."""

    policyName: Annotated[str, F(1, "Name of the policy.")] = ""
    paramRef: Annotated[ParamRef | None, F(2, "Where its values are.")] = None
    matchResources: Annotated[MatchResources | None, F(3, "Which writes, of the policy's.")] = None
    validationActions: Annotated[
        list[str], F(4, "What follows where it does not hold: Deny, Warn, Audit.", list_type="set")
    ] = []


class ValidatingAdmissionPolicyBinding(KubeObject):
    """Says where a validating policy holds."""

    spec: Annotated[ValidatingAdmissionPolicyBindingSpec, F(2, "Where it holds.")] = always(
        ValidatingAdmissionPolicyBindingSpec
    )


class MutatingAdmissionPolicySpec(Message):
    """How writes are changed."""

    paramKind: Annotated[ParamKind | None, F(1, "The kind of object with its values.")] = None
    matchConstraints: Annotated[MatchResources | None, F(2, "Which writes it is about.")] = None
    variables: Annotated[
        list[Variable],
        F(
            3,
            "Values for other expressions.",
            merge=True,
            merge_key="name",
            list_type="map",
            list_keys=("name",),
        ),
    ] = []
    mutations: Annotated[list[Mutation], F(4, "The changes, in order.", list_type="atomic")] = []
    failurePolicy: Annotated[
        str | None, F(5, "What if it cannot be worked out: Fail or Ignore.")
    ] = None
    matchConditions: Annotated[
        list[MatchCondition],
        F(
            6,
            "Further conditions of being asked.",
            merge=True,
            merge_key="name",
            list_type="map",
            list_keys=("name",),
        ),
    ] = []
    reinvocationPolicy: Annotated[
        str, F(7, "Whether it is asked again after others changed things: Never or IfNeeded.")
    ] = ""


class MutatingAdmissionPolicy(KubeObject):
    """How writes are changed, in the expression language."""

    spec: Annotated[MutatingAdmissionPolicySpec, F(2, "How they are changed.")] = always(
        MutatingAdmissionPolicySpec
    )


class MutatingAdmissionPolicyBindingSpec(Message):
    """Where a policy holds."""

    policyName: Annotated[str, F(1, "Name of the policy.")] = ""
    paramRef: Annotated[ParamRef | None, F(2, "Where its values are.")] = None
    matchResources: Annotated[MatchResources | None, F(3, "Which writes, of the policy's.")] = None


class MutatingAdmissionPolicyBinding(KubeObject):
    """Says where a mutating policy holds."""

    spec: Annotated[MutatingAdmissionPolicyBindingSpec, F(2, "Where it holds.")] = always(
        MutatingAdmissionPolicyBindingSpec
    )


def _param_kind(obj: Any) -> str:
    kind = obj.spec.paramKind
    return f"{kind.apiVersion}/{kind.kind}" if kind else _UNSET


def _param_ref(obj: Any) -> str:
    ref = obj.spec.paramRef
    if ref is None:
        return _UNSET
    return f"{ref.namespace or '*'}/{ref.name or '*'}"


def _validating_cells(obj: ValidatingAdmissionPolicy, now: float) -> list[Any]:
    return [obj.metadata.name, len(obj.spec.validations), _param_kind(obj), age(obj, now)]


def _mutating_cells(obj: MutatingAdmissionPolicy, now: float) -> list[Any]:
    return [obj.metadata.name, len(obj.spec.mutations), _param_kind(obj), age(obj, now)]


def _binding_cells(obj: Any, now: float) -> list[Any]:
    return [obj.metadata.name, obj.spec.policyName, _param_ref(obj), age(obj, now)]


_NAME, _AGE = Column("Name", format="name"), Column("Age")
_BINDING_COLUMNS = (_NAME, Column("PolicyName"), Column("ParamRef"), _AGE)

VALIDATING_ADMISSION_POLICY = Kind(
    group=_GROUP,
    version="v1",
    kind="ValidatingAdmissionPolicy",
    plural="validatingadmissionpolicies",
    singular="validatingadmissionpolicy",
    namespaced=False,
    type=ValidatingAdmissionPolicy,
    categories=_CATEGORIES,
    subresources=(
        Subresource(
            name="status", verbs=("get", "patch", "update"), kind="ValidatingAdmissionPolicy"
        ),
    ),
    columns=(_NAME, Column("Validations", "integer"), Column("ParamKind"), _AGE),
    cells=_validating_cells,
    set_defaults=rules.set_policy_defaults,
    validate=rules.validate_validating,
    validate_update=lambda new, _old: rules.validate_validating(new),
)
VALIDATING_ADMISSION_POLICY_BINDING = Kind(
    group=_GROUP,
    version="v1",
    kind="ValidatingAdmissionPolicyBinding",
    plural="validatingadmissionpolicybindings",
    singular="validatingadmissionpolicybinding",
    namespaced=False,
    type=ValidatingAdmissionPolicyBinding,
    categories=_CATEGORIES,
    columns=_BINDING_COLUMNS,
    cells=_binding_cells,
    set_defaults=rules.set_binding_defaults,
    validate=rules.validate_validating_binding,
    validate_update=lambda new, _old: rules.validate_validating_binding(new),
)
MUTATING_ADMISSION_POLICY = Kind(
    group=_GROUP,
    version="v1",
    kind="MutatingAdmissionPolicy",
    plural="mutatingadmissionpolicies",
    singular="mutatingadmissionpolicy",
    namespaced=False,
    type=MutatingAdmissionPolicy,
    categories=_CATEGORIES,
    columns=(_NAME, Column("Mutations", "integer"), Column("ParamKind"), _AGE),
    cells=_mutating_cells,
    set_defaults=rules.set_mutating_defaults,
    validate=rules.validate_mutating,
    validate_update=lambda new, _old: rules.validate_mutating(new),
)
MUTATING_ADMISSION_POLICY_BINDING = Kind(
    group=_GROUP,
    version="v1",
    kind="MutatingAdmissionPolicyBinding",
    plural="mutatingadmissionpolicybindings",
    singular="mutatingadmissionpolicybinding",
    namespaced=False,
    type=MutatingAdmissionPolicyBinding,
    categories=_CATEGORIES,
    columns=_BINDING_COLUMNS,
    cells=_binding_cells,
    set_defaults=rules.set_binding_defaults,
    validate=rules.validate_binding,
    validate_update=lambda new, _old: rules.validate_binding(new),
)
