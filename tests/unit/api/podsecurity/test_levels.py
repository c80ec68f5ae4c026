"""Each rule of the levels, by a pod that breaks it; and a pod that breaks none."""

from typing import Any

import pytest

from appliance.api import codec
from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.podsecurity import baseline, restricted

GOOD: dict[str, Any] = {
    "name": "c",
    "image": "i",
    "securityContext": {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    },
}


def breaks(level: Any, **spec: Any) -> list[str]:
    plain = {"spec": {"containers": [{"name": "c", "image": "i"}], **spec}}
    pod, _ = codec.decode(Pod, plain)
    return [failure.text() for check in level.CHECKS for failure in check(pod.spec)]


def with_context(**context: Any) -> dict[str, Any]:
    return {"containers": [{"name": "c", "image": "i", "securityContext": context}]}


def test_a_plain_pod_is_baseline_and_far_from_restricted() -> None:
    assert breaks(baseline) == []
    assert breaks(restricted) == [
        'allowPrivilegeEscalation != false (container "c" must set '
        "securityContext.allowPrivilegeEscalation=false)",
        'unrestricted capabilities (container "c" must set '
        'securityContext.capabilities.drop=["ALL"])',
        'runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true)',
        'seccompProfile (pod or container "c" must set securityContext.seccompProfile.type to '
        '"RuntimeDefault" or "Localhost")',
    ]


def test_a_hardened_pod_is_restricted() -> None:
    assert breaks(restricted, containers=[GOOD]) == []
    for_all = {"runAsNonRoot": True, "seccompProfile": {"type": "Localhost"}}
    context = {k: v for k, v in GOOD["securityContext"].items() if k not in for_all}
    container = {**GOOD, "securityContext": context}
    assert breaks(restricted, containers=[container], securityContext=for_all) == []


BASELINE: list[tuple[dict[str, Any], str]] = [
    (
        {"hostNetwork": True, "hostIPC": True},
        "host namespaces (hostNetwork=true, hostIPC=true)",
    ),
    (
        {"volumes": [{"name": n, "hostPath": {"path": "/"}} for n in "ab"]},
        'hostPath volumes (volumes "a", "b")',
    ),
    (
        {
            "containers": [
                {"name": n, "image": "i", "ports": [{"containerPort": 1, "hostPort": p}]}
                for n, p in (("a", 80), ("b", 81))
            ]
        },
        'hostPort (containers "a", "b" use hostPorts 80, 81)',
    ),
    (
        with_context(privileged=True),
        'privileged (container "c" must not set securityContext.privileged=true)',
    ),
    (
        with_context(capabilities={"add": ["NET_ADMIN", "CHOWN"]}),
        'non-default capabilities (container "c" must not include "NET_ADMIN" in '
        "securityContext.capabilities.add)",
    ),
    (
        with_context(procMount="Unmasked"),
        'procMount (container "c" must not set securityContext.procMount to "Unmasked")',
    ),
    (
        with_context(seLinuxOptions={"type": "spc_t", "user": "u"}),
        'seLinuxOptions (container "c" set forbidden securityContext.seLinuxOptions: type '
        '"spc_t"; user may not be set)',
    ),
    (
        {"securityContext": {"seccompProfile": {"type": "Unconfined"}}},
        'seccompProfile (pod must not set securityContext.seccompProfile.type to "Unconfined")',
    ),
    (
        with_context(appArmorProfile={"type": "Unconfined"}),
        'forbidden AppArmor profile (container "c" must not set AppArmor profile type to '
        '"Unconfined")',
    ),
    (
        {"securityContext": {"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}},
        "forbidden sysctls (kernel.msgmax)",
    ),
    (
        {"securityContext": {"windowsOptions": {"hostProcess": True}}},
        "hostProcess (pod must not set securityContext.windowsOptions.hostProcess=true)",
    ),
    (
        {
            "containers": [
                {
                    "name": "c",
                    "image": "i",
                    "livenessProbe": {"httpGet": {"port": 1, "host": "169.254.1.1"}},
                }
            ]
        },
        'probe or lifecycle host (container "c" must not set the host of a probe or lifecycle '
        "hook)",
    ),
]


@pytest.mark.parametrize(
    ("spec", "text"), BASELINE, ids=[t.partition(" (")[0] for _, t in BASELINE]
)
def test_what_baseline_refuses(spec: dict[str, Any], text: str) -> None:
    assert breaks(baseline, **spec) == [text]


RESTRICTED: list[tuple[dict[str, Any], str]] = [
    (
        {"volumes": [{"name": "a", "hostPath": {"path": "/"}}]},
        'restricted volume types (volume "a" uses restricted volume type "hostPath")',
    ),
    (
        {"securityContext": {"runAsNonRoot": False}},
        "runAsNonRoot != true (pod must not set securityContext.runAsNonRoot=false)",
    ),
    ({"securityContext": {"runAsUser": 0}}, "runAsUser=0 (pod must not set runAsUser=0)"),
    (
        {"securityContext": {"seccompProfile": {"type": "Unconfined"}}},
        'seccompProfile (pod must not set securityContext.seccompProfile.type to "Unconfined")',
    ),
]


@pytest.mark.parametrize(("spec", "text"), RESTRICTED)
def test_what_restricted_refuses_too(spec: dict[str, Any], text: str) -> None:
    assert breaks(restricted, containers=[GOOD], **spec) == [text]


@pytest.mark.parametrize("where", ["initContainers", "ephemeralContainers"])
def test_no_container_is_forgotten(where: str) -> None:
    bad = {"name": "x", "image": "i", "securityContext": {"privileged": True}}
    assert breaks(baseline, **{where: [bad]}) == [
        'privileged (container "x" must not set securityContext.privileged=true)'
    ]
