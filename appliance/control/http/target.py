"""What a URL names: a verb on a resource, or a plain path. Pure.

Every request is parsed once, before authorisation; handlers work on the `Target`.
Source: apiserver `endpoints/request` (RequestInfo).
"""

from dataclasses import dataclass

from appliance.api import fields
from appliance.api.errors import ApiError
from appliance.control.access.attributes import Attributes
from appliance.control.http.params import is_true

_VERBS = {
    "POST": "create",
    "GET": "get",
    "HEAD": "get",
    "PUT": "update",
    "PATCH": "patch",
    "DELETE": "delete",
}
_STREAMS = {"attach", "exec", "log", "portforward", "proxy"}
_OF_MANY = {"deletecollection", "list", "watch"}
_OF_NAMESPACE = {"status", "finalize"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a request points. `resource` is empty for plain paths; `tail` is what follows."""

    verb: str
    path: str
    group: str = ""
    version: str = ""
    namespace: str = ""
    resource: str = ""
    name: str = ""
    subresource: str = ""
    tail: tuple[str, ...] = ()
    fields: str = ""
    labels: str = ""
    """Field selector of what takes many objects."""
    has_namespace: bool = False
    """Whether the URL has a /namespaces/<ns>/ part before the resource."""

    @property
    def streams(self) -> bool:
        """Whether the answer goes on for as long as somebody listens."""
        return self.verb == "watch" or self.subresource in _STREAMS

    def attributes(self) -> Attributes:
        """Give what authorisation wants to know."""
        return Attributes(
            verb=self.verb,
            path=self.path,
            group=self.group,
            resource=self.resource,
            subresource=self.subresource,
            namespace=self.namespace,
            name=self.name or _only_name(self.fields),
            fields=self.fields,
            labels=self.labels,
        )


def parse_target(method: str, path: str, query: dict[str, str]) -> Target:
    """Read a request line; never fails: what is no resource is a plain path."""
    parts = [p for p in path.split("/") if p]
    group = ""
    rest: list[str] = []
    if parts[:1] == ["api"] and len(parts) >= 3:
        version, rest = parts[1], parts[2:]
    elif parts[:1] == ["apis"] and len(parts) >= 4:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return Target(verb=method.lower(), path=path)
    verb = _VERBS.get(method, "")
    if rest[0] == "watch" and len(rest) > 1:  # the deprecated /api/v1/watch/… form
        rest = rest[1:]
        verb = "watch" if verb == "get" else ""
    namespace, resource, names = _split_namespace(rest)
    name = names[0] if names else ""
    verb = verb if name else _collection_verb(verb, query)
    return Target(
        verb=verb,
        path=path,
        group=group,
        version=version,
        # A namespace is in the namespace of its own name, so that its owner may be let in.
        namespace=name if resource == "namespaces" and name else namespace,
        resource=resource,
        name=name,
        subresource=names[1] if len(names) > 1 else "",
        tail=tuple(names[2:]),
        fields=query.get("fieldSelector", "") if verb in _OF_MANY else "",
        labels=query.get("labelSelector", "") if verb in _OF_MANY else "",
        has_namespace=bool(namespace),
    )


def _only_name(selector: str) -> str:
    """Name the one object that a field selector lets through, so that rules for it count."""
    if "metadata.name" not in selector:
        return ""
    try:
        return fields.parse(selector).exact("metadata.name") or ""
    except ApiError:
        return ""  # the handler says what is wrong with it


def _split_namespace(rest: list[str]) -> tuple[str, str, list[str]]:
    """Namespace, resource and what follows it."""
    inside = len(rest) > 2 and rest[0] == "namespaces"
    if inside and not (rest[2] in _OF_NAMESPACE and len(rest) == 3):
        return rest[1], rest[2], rest[3:]
    return "", rest[0], rest[1:]


def _collection_verb(verb: str, query: dict[str, str]) -> str:
    if verb == "get":
        return "watch" if is_true(query.get("watch")) else "list"
    if verb == "delete":
        return "deletecollection"
    return verb
