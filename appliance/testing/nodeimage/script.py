"""A small image for pods of tests: this host's Python and one script.

For projects whose own image is not built yet, and for tests without a registry. It has the whole
standard library and nothing else; about 60 MB, made in a second.
"""

import asyncio
import io
import sys
from pathlib import Path

from appliance.node.images.archive import File
from appliance.testing.nodeimage.contents import Node, complete, python
from appliance.testing.nodeimage.layer import pack, write

_APP = "/app.py"


def python_image(name: str, script: str) -> bytes:
    """An image archive, for `images=` and `with_image`, whose containers run a script."""
    node = Node("podman")
    python(node)
    root = asyncio.run(complete(node))
    root |= {
        _APP: File(script.encode()),
        "/etc/passwd": File(b"root:x:0:0:root:/:/bin/false\n"),
        "/etc/nsswitch.conf": File(b"hosts: files dns\n"),
        "/tmp/.keep": File(b""),  # noqa: S108 - in the image
    }
    layer, archive = io.BytesIO(), io.BytesIO()
    write(root, layer)
    command = [str(Path(sys.executable).resolve()), "-u", _APP]
    pack(name, layer, archive, config={"Entrypoint": command, "WorkingDir": "/"})
    return archive.getvalue()
