"""Pure: the text of a manifest → static pods.

A text holds one pod, a list of pods, or several YAML documents; pods are v1, or the container
manifests of 2014 (`containermanifest`). One bad pod makes the whole text bad: a source then keeps
what it had. A static pod is named `<name>-<node>`, and its uid is the hash of its content and its
place: changing the file makes another pod, which is how kubelets have always restarted static
pods.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from appliance.api.codec import decode
from appliance.api.errors import ApiError
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.kit import jsonio
from appliance.node.sources.base import HASH, PLACE, SOURCE
from appliance.node.sources.containermanifest import (
    VERSIONS,
    OldFault,
    is_old,
    pod_of_manifest,
    pod_of_old_pod,
)

SIZE_MAX = 1 << 20
"""Bytes; a larger text is no manifest."""
VALUES_MAX = 100_000
"""Values in a text; aliases can make a small YAML text stand for more than memory holds."""
LISTS = frozenset({"List", "PodList", "ContainerManifestList", "BoundPods"})


class ManifestFault(Exception):
    """The text is no pod; `str()` says what is wrong."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a text was found: the source's name, and the path, URL or key there."""

    node_name: str
    source: str
    place: str


def pods_of(text: str | bytes, origin: Origin) -> list[Pod]:
    """All pods of one manifest; none for an empty text.

    Raises:
        ManifestFault: it can't be read, or a pod breaks a rule.
    """
    if len(text) > SIZE_MAX:
        raise ManifestFault(f"larger than {SIZE_MAX} bytes")
    try:
        documents = [d for d in yaml.safe_load_all(text) if d is not None]
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        raise ManifestFault(f"not YAML: {error}") from error
    except RecursionError:
        raise ManifestFault("nested too deeply") from None
    _check_size(documents)
    pods = [_static_pod(one, origin) for document in documents for one in _items(document)]
    names = [(pod.metadata.namespace, pod.metadata.name) for pod in pods]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ManifestFault(f"two pods of one name: {'/'.join(min(twice))}")
    return pods


def _check_size(documents: list[Any]) -> None:
    todo, seen = list(documents), 0
    while todo:
        value = todo.pop()
        seen += 1
        if seen > VALUES_MAX:
            raise ManifestFault(f"it stands for more than {VALUES_MAX} values")
        if isinstance(value, dict):
            todo.extend(value.values())
        elif isinstance(value, list):
            todo.extend(value)


def _items(document: Any) -> Iterator[dict[str, Any]]:
    if isinstance(document, list):
        for item in document:
            yield from _items(item)
        return
    if not isinstance(document, dict):
        raise ManifestFault("a manifest is an object of kind Pod")
    kind = document.get("kind", "")
    if kind in LISTS or (not kind and "items" in document):
        yield from _items(document.get("items") or [])
        return
    yield _as_pod(document)


def _as_pod(document: dict[str, Any]) -> dict[str, Any]:
    kind, version = document.get("kind", ""), document.get("apiVersion", "")
    try:
        if is_old(document):
            return pod_of_manifest(document)
        if kind == "Pod" and version in VERSIONS:
            return pod_of_old_pod(document)
    except OldFault as fault:
        raise ManifestFault(str(fault)) from fault
    except (TypeError, AttributeError, ValueError) as error:
        raise ManifestFault(f"a field has the wrong type: {error}") from error
    if kind != "Pod" or version != "v1":
        raise ManifestFault(f"want kind Pod of v1, not {kind or 'nothing'} of {version or 'none'}")
    return document


def _static_pod(body: dict[str, Any], origin: Origin) -> Pod:
    try:
        made, _ = decode(Pod, body)
    except ApiError as error:
        raise ManifestFault(str(error)) from error
    seal = hashlib.sha256()
    for part in (origin.node_name, origin.source, origin.place, jsonio.dumps(body).decode()):
        seal.update(part.encode() + b"\0")
    digest = seal.hexdigest()[:32]
    meta = made.metadata
    meta.name = f"{meta.name}-{origin.node_name}"
    meta.namespace = meta.namespace or "default"
    meta.uid = digest
    told = {HASH: digest, SOURCE: origin.source, PLACE: origin.place}
    meta.annotations = {**meta.annotations, **told}
    made.spec.nodeName = origin.node_name
    POD.set_defaults(made)
    faults = POD.validate(made)
    if faults:
        raise ManifestFault("; ".join(f"{f.field}: {f.message}" for f in faults))
    return made
