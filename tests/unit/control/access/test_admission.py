"""The admission chain: what it adds, and whom it turns away."""

import random
import re
from typing import Any

import msgspec
import pytest

from appliance.api.errors import ApiError, Forbidden, NotFound
from appliance.api.kind import Kind
from appliance.api.kinds.core.configmap import CONFIG_MAP, ConfigMap
from appliance.api.kinds.core.limitrange import LIMIT_RANGE, LimitRange
from appliance.api.kinds.core.namespace import NAMESPACE, Namespace, NamespaceStatus
from appliance.api.kinds.core.node import NODE, Node
from appliance.api.kinds.core.pod.affinity import Toleration
from appliance.api.kinds.core.pod.container import Container, VolumeMount
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.kinds.core.pod.spec import PodSpec
from appliance.api.kinds.core.references import LocalObjectReference
from appliance.api.kinds.core.serviceaccount import ServiceAccount
from appliance.api.kinds.node.runtimeclass import (
    RUNTIME_CLASS,
    Overhead,
    RuntimeClass,
    Scheduling,
)
from appliance.api.kinds.scheduling.priorityclass import PRIORITY_CLASS, PriorityClass
from appliance.api.meta import ObjectMeta
from appliance.control.access.admission import admit, default_chain
from appliance.control.access.steps.base import Attempt
from appliance.control.access.steps.serviceaccounts import MOUNT_PATH, VOLUME_PREFIX
from appliance.control.options import ControlOptions
from appliance.control.registry.base import Call, User


class Known:
    """Objects that steps may look up."""

    def __init__(self, **accounts: ServiceAccount) -> None:
        self._objects: dict[tuple[str, str], Any] = {
            ("Namespace", "here"): Namespace(status=NamespaceStatus(phase="Active")),
            ("Namespace", "going"): Namespace(status=NamespaceStatus(phase="Terminating")),
        }
        accounts = {"default": ServiceAccount(), **accounts}
        self._objects |= {("ServiceAccount", name): obj for name, obj in accounts.items()}

    async def find(self, kind: Kind[Any], namespace: str, name: str) -> Any:
        del namespace
        return self._objects.get((kind.kind, name))

    async def every(self, kind: Kind[Any], namespace: str = "") -> list[Any]:
        del namespace
        return [obj for (name, _), obj in self._objects.items() if name == kind.kind]

    def add(self, kind: Kind[Any], *objects: Any) -> "Known":
        self._objects |= {(kind.kind, obj.metadata.name): obj for obj in objects}
        return self


async def run(
    kind: Kind[Any],
    obj: Any,
    *,
    known: Known | None = None,
    namespace: str = "here",
    verb: str = "create",
    old: Any = None,
) -> Any:
    attempt = Attempt(
        verb=verb,
        kind=kind,
        namespace=namespace,
        name="x",
        obj=obj,
        old=old,
        call=Call(user=User(name="u")),
    )
    await admit(default_chain(known or Known(), random.Random(1)), attempt)  # noqa: S311
    return obj


def pod(**spec: Any) -> Pod:
    return Pod(metadata=ObjectMeta(name="x"), spec=PodSpec(**spec))


def containers(*mounts: VolumeMount) -> list[Container]:
    return [Container(name="c", image="i", volumeMounts=list(mounts))]


async def test_a_plain_pod_gets_all_that_a_pod_has() -> None:
    made: Pod = await run(POD, pod(containers=containers()))
    spec = made.spec
    assert (spec.serviceAccountName, spec.serviceAccount) == ("default", "default")
    (volume,) = spec.volumes
    assert volume.name.startswith(VOLUME_PREFIX)
    assert volume.projected is not None
    token = volume.projected.sources[0].serviceAccountToken
    assert token is not None
    assert (token.path, token.expirationSeconds) == ("token", 3607)
    (mount,) = (spec.containers or [])[0].volumeMounts
    assert (mount.name, mount.mountPath, mount.readOnly) == (volume.name, MOUNT_PATH, True)
    assert [(t.key, t.effect, t.tolerationSeconds) for t in spec.tolerations] == [
        ("node.kubernetes.io/not-ready", "NoExecute", 300),
        ("node.kubernetes.io/unreachable", "NoExecute", 300),
    ]
    assert (spec.priority, spec.preemptionPolicy) == (0, "PreemptLowerPriority")


@pytest.mark.parametrize(
    ("spec", "account"),
    [
        ({"automountServiceAccountToken": False}, ServiceAccount()),
        ({}, ServiceAccount(automountServiceAccountToken=False)),
    ],
)
async def test_the_token_can_be_refused(spec: dict[str, Any], account: ServiceAccount) -> None:
    made = await run(POD, pod(containers=containers(), **spec), known=Known(default=account))
    assert made.spec.volumes == []
    assert made.spec.containers[0].volumeMounts == []


async def test_what_the_user_mounted_there_stays() -> None:
    own = VolumeMount(name="mine", mountPath=MOUNT_PATH)
    made = await run(POD, pod(containers=containers(own)))
    assert made.spec.containers[0].volumeMounts == [own]
    assert made.spec.volumes == []


async def test_pull_secrets_come_from_the_account() -> None:
    account = ServiceAccount(imagePullSecrets=[LocalObjectReference(name="login")])
    made = await run(
        POD, pod(containers=containers(), serviceAccountName="a"), known=Known(a=account)
    )
    assert [s.name for s in made.spec.imagePullSecrets] == ["login"]


async def test_silence_and_unreadiness_have_patience_of_their_own() -> None:
    made = pod(containers=containers())
    options = ControlOptions(not_ready_s=300, unreachable_s=5)
    chain = default_chain(Known(), random.Random(1), options=options)  # noqa: S311
    call = Call(user=User(name="u"))
    await admit(
        chain, Attempt(verb="create", kind=POD, namespace="here", name="x", obj=made, call=call)
    )
    assert {t.key: t.tolerationSeconds for t in made.spec.tolerations} == {
        "node.kubernetes.io/not-ready": 300,
        "node.kubernetes.io/unreachable": 5,
    }


async def test_a_toleration_of_everything_needs_no_more() -> None:
    everything = Toleration(operator="Exists")
    made = await run(POD, pod(containers=containers(), tolerations=[everything]))
    assert made.spec.tolerations == [everything]


async def test_a_manifest_applied_again_keeps_what_was_worked_out() -> None:
    old = pod(containers=containers(), priority=5, preemptionPolicy="Never")
    new = await run(POD, pod(containers=containers()), verb="update", old=old)
    assert (new.spec.priority, new.spec.preemptionPolicy) == (5, "Never")
    assert new.spec.serviceAccountName == "", "an account is chosen at creation only"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            {"serviceAccountName": "no"},
            'error looking up service account here/no: serviceaccount "',
        ),
        ({"priorityClassName": "no"}, "no PriorityClass with name no was found"),
        ({"priority": 7}, "the integer value of priority (7) must not be provided in pod spec"),
        ({"preemptionPolicy": "Never"}, "the string value of PreemptionPolicy (Never) must not be"),
        ({"runtimeClassName": "no"}, 'pod rejected: RuntimeClass "no" not found'),
    ],
)
async def test_pods_that_ask_for_what_is_not_there_are_turned_away(
    spec: dict[str, Any], message: str
) -> None:
    with pytest.raises(Forbidden) as caught:
        await run(POD, pod(containers=containers(), **spec))
    assert message in caught.value.message
    assert caught.value.message.startswith('pods "x" is forbidden: ')


async def test_system_classes_have_their_values() -> None:
    made = await run(POD, pod(containers=containers(), priorityClassName="system-node-critical"))
    assert made.spec.priority == 2_000_001_000


@pytest.mark.parametrize(
    ("namespace", "error", "message"),
    [
        ("none", NotFound, 'namespaces "none" not found'),
        ("going", Forbidden, "unable to create new content in namespace going because it is being"),
    ],
)
async def test_content_needs_a_living_namespace(
    namespace: str, error: type[ApiError], message: str
) -> None:
    with pytest.raises(error, match=message):
        await run(CONFIG_MAP, ConfigMap(), namespace=namespace)
    await run(CONFIG_MAP, ConfigMap(), namespace=namespace, verb="update")
    await run(CONFIG_MAP, None, namespace=namespace, verb="delete")


async def test_namespaces_of_the_cluster_cannot_be_deleted() -> None:
    attempt = Attempt(
        verb="delete",
        kind=NAMESPACE,
        namespace="",
        name="kube-system",
        obj=None,
        call=Call(user=User(name="u")),
    )
    with pytest.raises(Forbidden, match="this namespace may not be deleted"):
        await admit(default_chain(Known(), random.Random(1)), attempt)  # noqa: S311


async def test_a_new_node_waits_for_the_node_controller() -> None:
    made: Node = await run(NODE, Node(metadata=ObjectMeta(name="x")), namespace="")
    assert [(t.key, t.effect) for t in made.spec.taints] == [
        ("node.kubernetes.io/not-ready", "NoSchedule")
    ]


def priority(name: str, value: int, **more: Any) -> PriorityClass:
    return PriorityClass(metadata=ObjectMeta(name=name), value=value, **more)


async def test_a_pod_has_the_priority_of_its_class_or_of_the_default_one() -> None:
    known = Known().add(
        PRIORITY_CLASS,
        priority("high", 900, preemptionPolicy="Never"),
        priority("usual", 5, globalDefault=True),
    )
    named = await run(POD, pod(priorityClassName="high"), known=known)
    assert (named.spec.priority, named.spec.preemptionPolicy) == (900, "Never")
    plain = await run(POD, pod(), known=known)
    assert (plain.spec.priorityClassName, plain.spec.priority) == ("usual", 5)
    with pytest.raises(Forbidden, match="usual is already marked as default"):
        await run(PRIORITY_CLASS, priority("mine", 1, globalDefault=True), known=known)


async def test_a_runtime_class_adds_what_it_costs_and_where_it_runs() -> None:
    found = RuntimeClass(
        metadata=ObjectMeta(name="vm"),
        handler="vm",
        overhead=Overhead(podFixed={"memory": "64Mi"}),
        scheduling=Scheduling(nodeSelector={"vm": "yes"}),
    )
    made = await run(POD, pod(runtimeClassName="vm"), known=Known().add(RUNTIME_CLASS, found))
    assert (made.spec.overhead, made.spec.nodeSelector) == ({"memory": "64Mi"}, {"vm": "yes"})
    wrong = pod(runtimeClassName="vm", nodeSelector={"vm": "no"})
    with pytest.raises(Forbidden, match="conflict"):
        await run(POD, wrong, known=Known().add(RUNTIME_CLASS, found))


def limits(**item: Any) -> LimitRange:
    spec = {"limits": [item]}
    return msgspec.convert({"metadata": {"name": "l"}, "spec": spec}, LimitRange)


def asking(**resources: Any) -> Pod:
    inside = {"containers": [{"name": "c", "image": "i", "resources": resources}]}
    return msgspec.convert({"metadata": {"name": "x"}, "spec": inside}, Pod)


async def test_containers_that_say_nothing_get_the_defaults_of_the_namespace() -> None:
    found = limits(
        type="Container", default={"cpu": "200m", "memory": "64Mi"}, defaultRequest={"cpu": "100m"}
    )
    made = await run(POD, asking(limits={"memory": "1Gi"}), known=Known().add(LIMIT_RANGE, found))
    (container,) = made.spec.containers
    assert container.resources.limits == {"cpu": "200m", "memory": "1Gi"}
    assert container.resources.requests == {"cpu": "100m"}
    assert made.metadata.annotations["kubernetes.io/limit-ranger"] == (
        "LimitRanger plugin set: cpu request for container c; cpu limit for container c"
    )


@pytest.mark.parametrize(
    ("item", "resources", "why"),
    [
        (
            {"type": "Container", "max": {"cpu": "1"}},
            {"limits": {"cpu": "3"}},
            "maximum cpu usage per Container is 1, but limit is 3",
        ),
        (
            {"type": "Pod", "max": {"cpu": "1"}},
            {},
            "maximum cpu usage per Pod is 1.  No limit is specified",
        ),
        (
            {"type": "Container", "min": {"cpu": "50m"}},
            {"requests": {"cpu": "10m"}},
            "minimum cpu usage per Container is 50m, but request is 10m",
        ),
        (
            {"type": "Container", "maxLimitRequestRatio": {"cpu": "4"}},
            {"requests": {"cpu": "50m"}, "limits": {"cpu": "900m"}},
            "cpu max limit to request ratio per Container is 4, but provided ratio is 18.000000",
        ),
    ],
)
async def test_what_is_out_of_bounds_is_turned_away(
    item: dict[str, Any], resources: dict[str, Any], why: str
) -> None:
    known = Known().add(LIMIT_RANGE, limits(**item))
    with pytest.raises(Forbidden, match=re.escape(f'pods "x" is forbidden: {why}')):
        await run(POD, asking(**resources), known=known)
