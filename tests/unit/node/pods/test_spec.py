"""From a pod's container to what the engine is told."""

import pytest

from appliance.api.kinds.core.pod.container import ResourceRequirements, VolumeMount
from appliance.api.kinds.core.pod.security import (
    Capabilities,
    PodSecurityContext,
    SecurityContext,
    Sysctl,
)
from appliance.node.pods.actions import StartContainer
from appliance.node.pods.spec import (
    SpecFault,
    Surroundings,
    container_spec,
    limits,
    oom_score,
    sandbox_spec,
)
from appliance.node.runtimes import marks
from appliance.node.runtimes.base import ContainerSpec, Limits, Mount
from tests.unit.node.stage import pod, wish


def made(one: object = None, *, user: str = "", **fields: object) -> ContainerSpec:
    start = StartContainer(
        wish=wish(**fields),  # type: ignore[arg-type]
        role=marks.ROLE_APP,
        sandbox_id="s1",
        attempt=2,
        streak=1,
    )
    around = Surroundings(
        cluster_id="c1",
        volumes={"v": "/host/v"},
        files=(Mount("/host/hosts", "/etc/hosts"),),
        env=(("A", "1"),),
        image_user=user,
    )
    return container_spec(one or pod(), start, around)  # type: ignore[arg-type]


def test_a_container_joins_its_sandbox_and_carries_its_marks() -> None:
    spec = made(command=["run", "$(A)"], args=["$(B)"])
    assert spec.name == "k8s_web_p_default_u1_2"
    assert (spec.network, spec.ipc, spec.pid) == ("container:s1", "container:s1", "")
    assert (spec.command, spec.args) == (("run", "1"), ("$(B)",))
    assert spec.marks[marks.POD_UID] == "u1"
    assert spec.marks[marks.RESTART_COUNT] == "2"
    assert spec.marks[marks.STREAK] == "1"
    assert spec.marks[marks.SANDBOX] == "s1"


def test_a_pod_may_use_the_hosts_namespaces() -> None:
    spec = made(pod(hostNetwork=True, hostPID=True, hostIPC=True))
    assert (spec.network, spec.pid, spec.ipc) == ("host", "host", "host")
    assert made(pod(shareProcessNamespace=True)).pid == "container:s1"
    box = sandbox_spec(pod(hostNetwork=True), "c1", "pause", 0)
    assert (box.network, box.hostname) == ("host", "")


def test_sysctls_belong_to_the_sandbox() -> None:
    context = PodSecurityContext(sysctls=[Sysctl(name="net.core.somaxconn", value="5")])
    box = sandbox_spec(pod(securityContext=context), "c1", "pause", 1)
    assert box.security.sysctls == {"net.core.somaxconn": "5"}
    assert (box.network, box.hostname, box.name) == ("none", "p", "k8s_POD_p_default_u1_1")


def test_mounts() -> None:
    spec = made(
        volumeMounts=[
            VolumeMount(name="v", mountPath="/data", readOnly=True, subPath="a/b"),
            VolumeMount(name="v", mountPath="/p", mountPropagation="HostToContainer"),
        ]
    )
    assert spec.mounts == (
        Mount("/host/v/a/b", "/data", read_only=True),
        Mount("/host/v", "/p", propagation="rslave"),
        Mount("/host/hosts", "/etc/hosts"),
    )


def test_a_pod_that_mounts_its_own_hosts_file_keeps_it() -> None:
    spec = made(volumeMounts=[VolumeMount(name="v", mountPath="/etc/hosts")])
    assert spec.mounts == (Mount("/host/v", "/etc/hosts"),)


@pytest.mark.parametrize(
    ("mount", "message"),
    [
        (VolumeMount(name="none", mountPath="/x"), 'cannot find volume "none"'),
        (VolumeMount(name="v", mountPath="/x", subPath="../y"), "must stay within"),
        (VolumeMount(name="v", mountPath="/x", subPathExpr="/$(A)"), "must stay within"),
    ],
)
def test_mounts_that_can_not_be(mount: VolumeMount, message: str) -> None:
    with pytest.raises(SpecFault, match=message):
        made(volumeMounts=[mount])


@pytest.mark.parametrize(
    ("requests", "most", "expected"),
    [
        ({}, {}, Limits(cpu_shares=2)),
        ({"cpu": "100m"}, {}, Limits(cpu_shares=102)),
        ({"cpu": "0"}, {}, Limits(cpu_shares=2)),
        (
            {},
            {"cpu": "500m"},
            Limits(cpu_shares=512, cpu_quota_us=50_000, cpu_period_us=100_000),
        ),
        ({}, {"memory": "64Mi"}, Limits(cpu_shares=2, memory_bytes=64 << 20)),
        ({}, {"cpu": "5m"}, Limits(cpu_shares=5, cpu_quota_us=1000, cpu_period_us=100_000)),
    ],
)
def test_limits(requests: dict[str, str], most: dict[str, str], expected: Limits) -> None:
    one = wish(resources=ResourceRequirements(requests=dict(requests), limits=dict(most)))
    assert limits(one) == expected


@pytest.mark.parametrize(
    ("requests", "most", "expected"),
    [
        ({}, {}, 1000),
        ({"cpu": "1"}, {}, 999),
        ({"memory": "1Gi"}, {}, 750),
        ({"memory": "8Gi"}, {}, 3),
        ({"cpu": "1", "memory": "1Gi"}, {"cpu": "1", "memory": "1Gi"}, -997),
    ],
)
def test_who_is_killed_first(requests: dict[str, str], most: dict[str, str], expected: int) -> None:
    one = wish(resources=ResourceRequirements(requests=dict(requests), limits=dict(most)))
    assert oom_score(pod(one), one, 4 << 30) == expected


def test_users_and_rights() -> None:
    whole = PodSecurityContext(runAsUser=1, runAsGroup=2, fsGroup=3, supplementalGroups=[4])
    own = SecurityContext(
        runAsUser=5,
        privileged=True,
        readOnlyRootFilesystem=True,
        allowPrivilegeEscalation=False,
        capabilities=Capabilities(add=["NET_ADMIN"], drop=["ALL"]),
    )
    spec = made(pod(securityContext=whole), securityContext=own)
    security = spec.security
    assert (security.user, security.groups) == ("5:2", ("4", "3"))
    assert security.privileged
    assert security.read_only_root
    assert security.no_new_privileges
    assert (security.add_capabilities, security.drop_capabilities) == (("NET_ADMIN",), ("ALL",))


@pytest.mark.parametrize(
    ("user", "image_user", "message"),
    [
        (0, "", "breaks non-root policy"),
        (None, "", "image will run as root"),
        (None, "web", "non-numeric user"),
        (None, "1000:0", None),
        (7, "", None),
    ],
)
def test_run_as_non_root(user: int | None, image_user: str, message: str | None) -> None:
    own = SecurityContext(runAsNonRoot=True, runAsUser=user)
    if message is None:
        made(securityContext=own, user=image_user)
        return
    with pytest.raises(SpecFault, match=message):
        made(securityContext=own, user=image_user)
