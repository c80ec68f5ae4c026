"""What a user is told about objects that are stored all the same; words as recorded."""

from typing import Any

import msgspec
import pytest

from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.kinds.table import by_kind


@pytest.mark.parametrize(
    ("name", "spec", "container", "warnings"),
    [
        ("p", {}, {}, []),
        (
            "p",
            {"nodeSelector": {"beta.kubernetes.io/os": "linux"}},
            {},
            [
                "spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14;"
                ' use "kubernetes.io/os" instead'
            ],
        ),
        (
            "p",
            {},
            {"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]},
            [
                'spec.containers[0].env[1]: hides previous definition of "A",'
                " which may be dropped when using apply"
            ],
        ),
        (
            "p",
            {"imagePullSecrets": [{"name": ""}]},
            {},
            ['spec.imagePullSecrets[0].name: invalid empty name ""'],
        ),
        (
            "a.b",
            {},
            {},
            [
                "metadata.name: this is used in the Pod's hostname, which can result in"
                " surprising behavior; a DNS label is recommended: [must not contain dots]"
            ],
        ),
        (
            "p",
            {},
            {"ports": [{"containerPort": 80}, {"containerPort": 80}]},
            [
                "spec.containers[0].ports[1]: duplicate port definition with"
                " spec.containers[0].ports[0]"
            ],
        ),
        (
            "p",
            {},
            {"resources": {"limits": {"memory": "100m"}}},
            [
                "spec.containers[0].resources.limits[memory]: fractional byte value"
                ' "100m" is invalid, must be an integer'
            ],
        ),
    ],
)
def test_a_pod(
    name: str, spec: dict[str, Any], container: dict[str, Any], warnings: list[str]
) -> None:
    body = {"metadata": {"name": name}, "spec": {"containers": [{"name": "c"} | container]} | spec}
    assert POD.warn(msgspec.convert(body, Pod)) == warnings


def test_an_old_annotation_of_a_service() -> None:
    kind = by_kind("v1", "Service")
    assert kind
    old = "service.kubernetes.io/topology-aware-hints"
    obj = msgspec.convert({"metadata": {"annotations": {old: "x"}}}, kind.type)
    assert kind.warn(obj) == [
        f"annotation {old} is deprecated, please use service.kubernetes.io/topology-mode instead"
    ]
