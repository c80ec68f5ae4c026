"""What it costs to read, write and track API objects: figures behind docs/adr/0001.

    PYTHONPATH=. .venv/bin/python bench/api_objects.py

Side by side: typed decoding against the standard library's plain JSON, and the paths that a
request takes on top of it. Best of five, one core.
"""

import json
import time
from collections.abc import Callable
from typing import Any

from appliance.api import codec, managedfields, proto
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.patch_strategic import strategic_merge

NOW = "2026-01-01T00:00:00Z"


def pod() -> Pod:
    """A pod of about 3 KB, as a running one looks."""
    containers = [
        {
            "name": f"c{number}",
            "image": "registry.example/app:1",
            "env": [{"name": f"VARIABLE_{n}", "value": "x" * 20} for n in range(10)],
            "ports": [{"name": "http", "containerPort": 80}],
            "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
            "readinessProbe": {"httpGet": {"path": "/", "port": "http"}},
        }
        for number in range(2)
    ]
    condition = {"status": "True", "lastTransitionTime": NOW}
    conditions = [{"type": t, **condition} for t in ("Ready", "Initialized", "PodScheduled")]
    body = {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {"name": "web", "namespace": "default", "labels": {"app": "web"}},
        "spec": {"containers": containers},
        "status": {"phase": "Running", "conditions": conditions},
    }
    made, _ = codec.decode(Pod, body)
    POD.set_defaults(made)
    return made


def measure(name: str, run: Callable[[], Any], times: int = 200) -> None:
    """Print microseconds for one run, the best of five rounds."""
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        for _ in range(times):
            run()
        best = min(best, (time.perf_counter() - started) / times)
    print(f"{name:44} {best * 1e6:9.1f} us")


def main() -> None:
    """Measure and print."""
    obj = pod()
    raw = codec.encode(obj)
    plain = codec.to_plain(obj)
    wire = proto.encode(obj)
    print(f"pod: {len(raw)} bytes of JSON, {len(wire)} of protobuf")
    measure("stored bytes → typed object", lambda: codec.from_stored(Pod, raw))
    measure("  standard library: bytes → plain dicts", lambda: json.loads(raw))
    measure("typed object → bytes", lambda: codec.encode(obj))
    measure("  standard library: plain dicts → bytes", lambda: json.dumps(plain))
    measure("request body → checked object", lambda: codec.decode_bytes(Pod, raw))
    measure("protobuf body → checked object", lambda: proto.decode(Pod, wire), 50)

    patch = {"status": {"conditions": [{"type": "Ready", "status": "False"}]}}
    plain["metadata"]["managedFields"] = managedfields.on_update(
        Pod, None, plain, manager="a", api_version="v1", now=NOW
    )
    patched = strategic_merge(Pod, plain, patch)
    measure("strategic merge of a condition", lambda: strategic_merge(Pod, plain, patch))
    measure(
        "owners of fields after a status update",
        lambda: managedfields.on_update(
            Pod,
            plain,
            patched,
            manager="kubelet",
            api_version="v1",
            now=NOW,
            subresource="status",
        ),
    )
    many = [raw] * 5000
    measure("list of 5,000: join stored bytes", lambda: b",".join(many), 1)
    measure("list of 5,000: decode all", lambda: [codec.from_stored(Pod, one) for one in many], 1)


if __name__ == "__main__":
    main()
