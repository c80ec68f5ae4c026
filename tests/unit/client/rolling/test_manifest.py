"""What a file for a rolling update may hold."""

import pytest

from appliance.client.rolling.manifest import controller_of
from appliance.client.rolling.order import RollingFault

GOOD = "{apiVersion: v1, kind: ReplicationController, metadata: {name: web}, spec: {replicas: 2}}"


def test_one_controller_alone_or_in_a_list() -> None:
    for text in (GOOD, f"{{kind: List, apiVersion: v1, items: [{GOOD}]}}", f"---\n{GOOD}\n---\n"):
        made = controller_of(text, place="f", namespace="shop")
        assert (made.metadata.name, made.metadata.namespace, made.spec.replicas) == (
            "web",
            "shop",
            2,
        )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: [", "f: not YAML"),
        ("", "found 0 objects"),
        (f"{GOOD}\n---\n{GOOD}", "found 2 objects"),
        ("{apiVersion: v1, kind: Pod}", "not Pod"),
        ("just words", "not None"),
        (GOOD.replace("2", "two"), "of type int32"),
        (GOOD.replace("replicas", "replica"), 'unknown field "spec.replica"'),
        (GOOD.replace("name: web", ""), "metadata.name is missing"),
    ],
)
def test_anything_else_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(RollingFault, match=why):
        controller_of(text, place="f", namespace="default")
