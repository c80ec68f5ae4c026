"""The text of a file → the replication controller in it. Pure."""

from typing import Any

import yaml

from appliance.api.codec import decode
from appliance.api.errors import ApiError
from appliance.api.kinds.core.replicationcontroller import ReplicationController
from appliance.client.rolling.order import RollingFault


def controller_of(text: str, *, place: str, namespace: str) -> ReplicationController:
    """Read the one replication controller of a file, for `namespace` unless it says another.

    Raises:
        RollingFault: it is not YAML or JSON, or holds something else.
    """
    try:
        documents = [d for d in yaml.safe_load_all(text) if d is not None]
    except yaml.YAMLError as error:
        raise RollingFault(f"{place}: not YAML: {error}") from error
    items: list[Any] = []
    for document in documents:
        listed = isinstance(document, dict) and document.get("kind") == "List"
        items += document.get("items") or [] if listed else [document]
    if len(items) != 1:
        raise RollingFault(f"{place}: want one replication controller, found {len(items)} objects")
    return _decoded(items[0], place=place, namespace=namespace)


def _decoded(body: Any, *, place: str, namespace: str) -> ReplicationController:
    kind = body.get("kind") if isinstance(body, dict) else None
    if kind != "ReplicationController" or body.get("apiVersion") != "v1":
        raise RollingFault(f"{place}: want a ReplicationController of v1, not {kind}")
    try:
        made, warnings = decode(ReplicationController, body)
    except ApiError as error:
        raise RollingFault(f"{place}: {error.message}") from error
    if warnings:
        raise RollingFault(f"{place}: {', '.join(warnings)}")
    made.metadata.namespace = made.metadata.namespace or namespace
    if not made.metadata.name:
        raise RollingFault(f"{place}: metadata.name is missing")
    return made
