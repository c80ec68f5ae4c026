"""From a manifest's text to static pods."""

import pytest

from appliance.node.sources.base import HASH, PLACE, SOURCE, is_static
from appliance.node.sources.manifest import ManifestFault, Origin, pods_of

WEB = """
apiVersion: v1
kind: Pod
metadata:
  name: web
spec:
  containers:
  - name: c
    image: web:1
"""


def read(text: str, place: str = "/m/web.yaml", node: str = "n1") -> list[str]:
    return [p.metadata.uid for p in pods_of(text, Origin(node, "file", place))]


def test_a_manifest_becomes_a_pod_of_this_node() -> None:
    (made,) = pods_of(WEB, Origin("n1", "file", "/m/web.yaml"))
    assert (made.metadata.name, made.metadata.namespace) == ("web-n1", "default")
    told = {HASH: made.metadata.uid, SOURCE: "file", PLACE: "/m/web.yaml"}
    assert made.metadata.annotations == told
    assert made.spec.nodeName == "n1"
    assert made.spec.containers[0].imagePullPolicy == "IfNotPresent"  # defaults are set
    assert is_static(made)


def test_the_uid_is_the_content_and_its_place() -> None:
    assert read(WEB) == read(WEB)
    assert read(WEB) != read(WEB.replace("web:1", "web:2"))
    assert read(WEB) != read(WEB, place="/m/other.yaml")
    assert read(WEB) != read(WEB, node="n2")


def test_several_documents_and_lists() -> None:
    assert read("") == read("# nothing\n") == read("[]") == []
    assert len(read(WEB + "---\n" + WEB.replace("name: web", "name: two") + "---\n")) == 2
    assert len(read('{"kind":"List","apiVersion":"v1","items":[]}')) == 0


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: b: c", "not YAML"),
        ("just words", "is an object"),
        (WEB.replace("Pod", "Service"), "not Service"),
        (WEB.replace("image: web:1", "image: [1]"), "image"),
        (WEB.partition("  containers")[0] + "  containers: []", "containers"),
        (WEB + "---\n" + WEB, "two pods of one name: default/web-n1"),
        ("[" * 5000, "nested|YAML"),
        (
            "a: &a [1,2,3,4,5,6,7,8,9,0]\n"
            + "".join(
                f"{n}: &{n} [{','.join([f'*{o}'] * 10)}]\n"
                for o, n in zip("abcdef", "bcdefg", strict=True)
            ),
            "more than 100000 values",
        ),
        ('{"kind":"List","apiVersion":"v1","items":[5]}', "is an object"),
        ("{version: v1beta1, containers: []}", "id: required"),
        ("{version: v1beta1, id: a, restartPolicy: 5}", "wrong type"),
    ],
)
def test_what_is_no_pod(text: str, why: str) -> None:
    with pytest.raises(ManifestFault, match=why):
        read(text)
