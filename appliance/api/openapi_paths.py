"""The operations of a kind: paths, verbs and query parameters, for both OpenAPI documents.

kubectl decides by the parameter `fieldValidation` of POST, PUT and PATCH whether the server
validates, and finds operations by `x-kubernetes-group-version-kind`. Pure.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from appliance.api.kind import Kind, Subresource

Json = dict[str, Any]

_METHODS = {
    "create": "post",
    "delete": "delete",
    "deletecollection": "delete",
    "get": "get",
    "list": "get",
    "patch": "patch",
    "update": "put",
}
_ACTIONS = {
    "create": "post",
    "update": "put",
}
_WORDS = {
    "create": "create",
    "delete": "delete",
    "deletecollection": "deleteCollection",
    "get": "read",
    "list": "list",
    "patch": "patch",
    "update": "replace",
}
_CONNECTED = frozenset({"attach", "exec", "portforward", "proxy"})

PATCH_TYPES = (
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
)

_TEXTS = {
    "pretty": ("string", "Pretty-print the answer."),
    "dryRun": ("string", "All: go through the motions but store nothing."),
    "fieldManager": ("string", "Name of who makes the change; owns the fields it sets."),
    "fieldValidation": (
        "string",
        "What to do about unknown and doubled fields: Ignore, Warn or Strict.",
    ),
    "force": ("boolean", "Take over fields that other appliers own."),
    "allowWatchBookmarks": ("boolean", "Send bookmarks now and then."),
    "continue": ("string", "Token of the page before."),
    "fieldSelector": ("string", "Only objects whose fields pass."),
    "labelSelector": ("string", "Only objects whose labels pass."),
    "limit": ("integer", "Most objects in one answer."),
    "resourceVersion": ("string", "Revision that the answer is based on."),
    "resourceVersionMatch": ("string", "How resourceVersion is meant."),
    "sendInitialEvents": ("boolean", "Begin a watch with what exists."),
    "timeoutSeconds": ("integer", "End the request after this time."),
    "watch": ("boolean", "Follow changes."),
    "gracePeriodSeconds": ("integer", "Seconds the object gets to stop."),
    "orphanDependents": ("boolean", "Old form of propagationPolicy."),
    "propagationPolicy": ("string", "What happens to dependents."),
}
_WRITE = ("dryRun", "fieldManager", "fieldValidation")
_LIST = (
    "allowWatchBookmarks",
    "continue",
    "fieldSelector",
    "labelSelector",
    "limit",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "timeoutSeconds",
    "watch",
)
_DELETE = ("dryRun", "gracePeriodSeconds", "orphanDependents", "propagationPolicy")
_QUERY: dict[str, tuple[str, ...]] = {
    "create": _WRITE,
    "update": _WRITE,
    "patch": (*_WRITE, "force"),
    "list": _LIST,
    "delete": _DELETE,
    "deletecollection": (*_LIST[1:9], *_DELETE),
    "get": (),
}


@dataclass(frozen=True, slots=True)
class Operation:
    """One verb on one path."""

    path: str
    verb: str
    kind: Kind[Any]
    subresource: Subresource | None = None
    everywhere: bool = False
    """A list over all namespaces."""

    @property
    def method(self) -> str:
        """HTTP method, lower case."""
        return _METHODS[self.verb]

    @property
    def action(self) -> str:
        """Value of x-kubernetes-action."""
        if self.subresource is not None and self.subresource.name in _CONNECTED:
            return "connect"
        return _ACTIONS.get(self.verb, self.verb)

    @property
    def body_kind(self) -> tuple[str, str, str]:
        """Group, version and kind that the operation is about."""
        sub = self.subresource
        if sub is None:
            return self.kind.group, self.kind.version, self.kind.kind
        if sub.kind == self.kind.kind:
            return self.kind.group, self.kind.version, sub.kind
        return sub.group, sub.version, sub.kind

    @property
    def query(self) -> tuple[str, ...]:
        """Names of the query parameters."""
        return ("pretty", *_QUERY[self.verb])

    @property
    def operation_id(self) -> str:
        """A name of its own, as generated clients use it: `listCoreV1NamespacedPod`."""
        group = (self.kind.group or "core").split(".", 1)[0]
        scope = "Namespaced" if self.kind.namespaced and not self.everywhere else ""
        tail = self.subresource.name.capitalize() if self.subresource else ""
        end = "ForAllNamespaces" if self.everywhere else ""
        word = _WORDS[self.verb]
        if word == "deleteCollection":
            end = ""
        version = self.kind.version.capitalize()
        return f"{word}{group.capitalize()}{version}{scope}{self.kind.kind}{tail}{end}"


def operations(kind: Kind[Any]) -> Iterator[Operation]:
    """Give all operations of a kind and its sub-resources."""
    root = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
    middle = "/namespaces/{namespace}" if kind.namespaced else ""
    collection = f"{root}{middle}/{kind.plural}"
    item = collection + "/{name}"
    for verb in ("create", "list", "deletecollection"):
        if verb in kind.verbs:
            yield Operation(collection, verb, kind)
    for verb in ("get", "update", "patch", "delete"):
        if verb in kind.verbs:
            yield Operation(item, verb, kind)
    if kind.namespaced and "list" in kind.verbs:
        yield Operation(f"{root}/{kind.plural}", "list", kind, everywhere=True)
    for sub in kind.subresources:
        for verb in sub.verbs:
            if verb in _METHODS:
                yield Operation(f"{item}/{sub.name}", verb, kind, sub)


def parameter_text(name: str) -> tuple[str, str]:
    """Type and description of a query parameter."""
    return _TEXTS[name]


def gvk(kind: tuple[str, str, str]) -> Json:
    """Write x-kubernetes-group-version-kind."""
    group, version, name = kind
    return {"group": group, "version": version, "kind": name}
