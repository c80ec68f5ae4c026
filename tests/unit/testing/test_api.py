"""Manifests as tests write them, and what is ready."""

from pathlib import Path

from appliance.testing.api import is_ready, objects

TEXT = """
kind: Service
---
---
kind: List
items: [{kind: Pod}, {kind: Secret}]
"""


def test_a_manifest_is_text_a_file_or_an_object(tmp_path: Path) -> None:
    file = tmp_path / "all.yaml"
    file.write_text(TEXT)
    wanted = ["Service", "Pod", "Secret"]
    assert [body["kind"] for body in objects(TEXT)] == wanted
    assert [body["kind"] for body in objects(file)] == wanted
    assert list(objects({"kind": "Pod"})) == [{"kind": "Pod"}]


def test_ready_is_said_by_the_condition_unless_it_is_on_its_way_out() -> None:
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    assert is_ready({"metadata": {}, "status": ready})
    assert not is_ready({"metadata": {"deletionTimestamp": "now"}, "status": ready})
    assert not is_ready({"metadata": {}, "status": {}})
    assert not is_ready({"metadata": {}})
