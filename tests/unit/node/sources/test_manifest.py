"""From a manifest's text to static pods."""

import pytest

from appliance.node.sources.base import HASH, SOURCE, is_static
from appliance.node.sources.manifest import ManifestFault, pods_of

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
    return [p.metadata.uid for p in pods_of(text, node_name=node, source="file", place=place)]


def test_a_manifest_becomes_a_pod_of_this_node() -> None:
    (made,) = pods_of(WEB, node_name="n1", source="file", place="/m/web.yaml")
    assert (made.metadata.name, made.metadata.namespace) == ("web-n1", "default")
    assert made.metadata.annotations == {HASH: made.metadata.uid, SOURCE: "file"}
    assert made.spec.nodeName == "n1"
    assert made.spec.containers[0].imagePullPolicy == "IfNotPresent"  # defaults are set
    assert is_static(made)


def test_the_uid_is_the_content_and_its_place() -> None:
    assert read(WEB) == read(WEB)
    assert read(WEB) != read(WEB.replace("web:1", "web:2"))
    assert read(WEB) != read(WEB, place="/m/other.yaml")
    assert read(WEB) != read(WEB, node="n2")


def test_several_documents_and_lists() -> None:
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
    ],
)
def test_what_is_no_pod(text: str, why: str) -> None:
    with pytest.raises(ManifestFault, match=why):
        read(text)
