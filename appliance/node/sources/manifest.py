"""Pure: the text of a manifest → static pods.

A file holds one pod, a list of pods, or several YAML documents. A static pod is named
`<name>-<node>`, and its uid is the hash of its content and its place: changing the file makes
another pod, which is how kubelets have always restarted static pods.
"""

import hashlib
from collections.abc import Iterator
from typing import Any

import yaml

from appliance.api.codec import decode
from appliance.api.errors import ApiError
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.kit import jsonio
from appliance.node.sources.base import HASH, SOURCE


class ManifestFault(Exception):
    """The text is no pod; `str()` says what is wrong."""


def pods_of(text: str, *, node_name: str, source: str, place: str) -> list[Pod]:
    """All pods of one manifest.

    Raises:
        ManifestFault: it can't be read, or a pod breaks a rule.
    """
    try:
        documents = [d for d in yaml.safe_load_all(text) if d is not None]
    except yaml.YAMLError as error:
        raise ManifestFault(f"not YAML: {error}") from error
    return [
        _static_pod(one, node_name=node_name, source=source, place=place)
        for document in documents
        for one in _items(document)
    ]


def _items(document: Any) -> Iterator[dict[str, Any]]:
    if not isinstance(document, dict):
        raise ManifestFault("a manifest is an object of kind Pod")
    if document.get("kind") in {"List", "PodList"}:
        for item in document.get("items") or []:
            yield from _items(item)
        return
    if document.get("kind") != "Pod" or document.get("apiVersion") != "v1":
        raise ManifestFault(f"want kind Pod of v1, not {document.get('kind')}")
    yield document


def _static_pod(body: dict[str, Any], *, node_name: str, source: str, place: str) -> Pod:
    try:
        made, _ = decode(Pod, body)
    except ApiError as error:
        raise ManifestFault(str(error)) from error
    seal = hashlib.sha256()
    for part in (node_name, source, place, jsonio.dumps(body).decode()):
        seal.update(part.encode() + b"\0")
    digest = seal.hexdigest()[:32]
    meta = made.metadata
    meta.name = f"{meta.name}-{node_name}"
    meta.namespace = meta.namespace or "default"
    meta.uid = digest
    meta.annotations = {**meta.annotations, HASH: digest, SOURCE: source}
    made.spec.nodeName = node_name
    POD.set_defaults(made)
    faults = POD.validate(made)
    if faults:
        raise ManifestFault("; ".join(f"{f.field}: {f.message}" for f in faults))
    return made
