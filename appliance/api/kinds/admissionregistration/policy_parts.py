"""What admission policies and their bindings are made of."""

from typing import Annotated, ClassVar

from appliance.api.kinds.admissionregistration.webhook_parts import RuleWithOperations
from appliance.api.meta import Condition, LabelSelector
from appliance.api.schema import F, Inline, Int64, Message, always


class ParamKind(Message):
    """The kind of object that a policy takes its values from."""

    apiVersion: Annotated[str, F(1, "Its group and version.")] = ""
    kind: Annotated[str, F(2, "Its kind.")] = ""


class NamedRuleWithOperations(RuleWithOperations):
    """Which operations on which resources are meant, and on which names."""

    INLINE: ClassVar[Inline] = ((RuleWithOperations, 2),)
    resourceNames: Annotated[
        list[str], F(1, "Only objects of these names; none for all.", list_type="atomic")
    ] = []


class MatchResources(Message):
    """Which writes are meant."""

    namespaceSelector: Annotated[
        LabelSelector | None, F(1, "Only objects in namespaces with these labels.")
    ] = None
    objectSelector: Annotated[LabelSelector | None, F(2, "Only objects with these labels.")] = None
    resourceRules: Annotated[
        list[NamedRuleWithOperations], F(3, "Which writes are meant.", list_type="atomic")
    ] = []
    excludeResourceRules: Annotated[
        list[NamedRuleWithOperations], F(4, "Which of them are not.", list_type="atomic")
    ] = []
    matchPolicy: Annotated[
        str | None, F(7, "Exact, or Equivalent: through other versions too.")
    ] = None


class Variable(Message):
    """A value that other expressions may use as `variables.<name>`."""

    name: Annotated[str, F(1, "Its name.", required=True)] = always(str)
    expression: Annotated[str, F(2, "What gives it.", required=True)] = always(str)


class Validation(Message):
    """What must hold."""

    expression: Annotated[str, F(1, "Must give true.", required=True)] = always(str)
    message: Annotated[str, F(2, "What is said where it does not.")] = ""
    reason: Annotated[
        str | None, F(3, "Forbidden, Invalid (unless said), RequestEntityTooLarge, Unauthorized.")
    ] = None
    messageExpression: Annotated[str, F(4, "Gives what is said.")] = ""


class AuditAnnotation(Message):
    """Something for the audit log."""

    key: Annotated[str, F(1, "Its name.", required=True)] = always(str)
    valueExpression: Annotated[str, F(2, "Gives its text, or null.", required=True)] = always(str)


class ExpressionWarning(Message):
    """What may be wrong with an expression."""

    fieldRef: Annotated[str, F(2, "Where it stands.", required=True)] = always(str)
    warning: Annotated[str, F(3, "What is wrong with it.", required=True)] = always(str)


class TypeChecking(Message):
    """What was found when expressions were checked."""

    expressionWarnings: Annotated[
        list[ExpressionWarning], F(1, "What was found.", list_type="atomic")
    ] = []


class ValidatingAdmissionPolicyStatus(Message):
    """What is known of a policy."""

    observedGeneration: Annotated[Int64, F(1, "Generation that this is about.")] = 0
    typeChecking: Annotated[TypeChecking | None, F(2, "What checking found.")] = None
    conditions: Annotated[
        list[Condition], F(3, "How it is, aspect by aspect.", list_type="map", list_keys=("type",))
    ] = []


class ApplyConfiguration(Message):
    """A change as an object that is applied."""

    expression: Annotated[str, F(1, "Gives the object.")] = ""


class JSONPatch(Message):
    """A change as a list of patches."""

    expression: Annotated[str, F(1, "Gives the list.")] = ""


class Mutation(Message):
    """A change."""

    patchType: Annotated[str, F(2, "ApplyConfiguration or JSONPatch.", required=True)] = always(str)
    applyConfiguration: Annotated[ApplyConfiguration | None, F(3, "An object that is applied.")] = (
        None
    )
    jsonPatch: Annotated[JSONPatch | None, F(4, "A list of patches.")] = None


class ParamRef(Message):
    """Where a policy's values are."""

    name: Annotated[str, F(1, "Name of the object.")] = ""
    namespace: Annotated[str, F(2, "Its namespace; that of the write unless said.")] = ""
    selector: Annotated[LabelSelector | None, F(3, "Or all objects with these labels.")] = None
    parameterNotFoundAction: Annotated[
        str | None, F(4, "What if there is none: Allow or Deny.")
    ] = None
