"""What goes into a node image, and when it is another one."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

from appliance.node.images.archive import File, Link
from appliance.testing.nodeimage.build import key
from appliance.testing.nodeimage.contents import Node, required
from appliance.testing.nodeimage.layer import pack, write


def test_the_package_and_what_it_requires_are_found_extras_left_out() -> None:
    names = required("appliance")
    assert {"appliance", "msgspec", "docker", "urllib3", "idna"} <= names
    assert not {"testcontainers", "pytest", "ruff"} & names


def test_the_name_follows_content_and_not_compiled_files(tmp_path: Path) -> None:
    source, compiled = tmp_path / "a.py", tmp_path / "a.cpython-311.pyc"
    source.write_text("x = 1")
    compiled.write_text("one")
    node = Node("podman")
    node.add(source, "/a.py")
    node.add(compiled, "/a.cpython-311.pyc")
    first = key(node)
    compiled.write_text("another")
    assert key(node) == first
    source.write_text("x = 22")
    assert key(node) != first


def test_an_archive_tells_engines_what_its_layer_is(tmp_path: Path) -> None:
    source = tmp_path / "run"
    source.write_text("#!/bin/sh")
    source.chmod(0o750)
    layer, archive = io.BytesIO(), io.BytesIO()
    write({"/usr/bin/run": source, "/tmp/.keep": File(b""), "/bin/r": Link("../run")}, layer)
    pack("appliance.local/node:x", layer, archive, config={"Entrypoint": ["/bin/r"]})
    archive.seek(0)
    with tarfile.open(fileobj=archive) as tar:
        manifest = json.load(tar.extractfile("manifest.json"))[0]
        image = json.load(tar.extractfile(manifest["Config"]))
        content = tar.extractfile(manifest["Layers"][0]).read()
    assert manifest["RepoTags"] == ["appliance.local/node:x"]
    assert image["config"] == {"Entrypoint": ["/bin/r"]}
    assert image["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(content).hexdigest()}"]
    with tarfile.open(fileobj=io.BytesIO(content)) as root:
        assert root.getmember("usr/bin/run").mode == 0o754
        assert root.getmember("usr/bin/run").mtime == int(source.stat().st_mtime)
        assert root.getmember("bin/r").linkname == "../run"
        assert root.getmember("tmp").mode == 0o1777
