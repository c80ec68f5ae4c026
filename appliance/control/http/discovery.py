"""Discovery: which groups, versions and resources there are, in the old and the new form.

Everything is made once from the table of kinds, at start, as bytes; requests only choose.
`kubectl` keeps the answers for six hours and asks again with an ETag.
Source: apiserver `endpoints/discovery`, KEP-3352 (aggregated discovery).
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from appliance.api.custom.object import is_custom
from appliance.api.kind import Kind, Subresource
from appliance.control.http.negotiate import JSON, Accepted, parse_accept
from appliance.kit import jsonio

AGGREGATED_GROUP = "apidiscovery.k8s.io"


_CUSTOM_VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")
"""Upstream lists those of users' kinds in this order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extra:
    """A resource that is no stored kind: it is only posted, such as bindings and reviews."""

    group: str
    version: str
    plural: str
    singular: str
    kind: str
    namespaced: bool = False
    verbs: tuple[str, ...] = ("create",)


@dataclass(frozen=True, slots=True)
class Document:
    """Bytes with their media type and ETag."""

    body: bytes
    media: str = JSON
    etag: str = ""


Remote = Mapping[tuple[str, str], Sequence[dict[str, Any]]]
"""What other API servers have, by group and version, as their lists say it."""


class Discovery:
    """All documents, by path; `aggregated` ones by version."""

    def __init__(
        self,
        kinds: Iterable[Kind[Any]],
        extras: Iterable[Extra],
        remote: Remote | None = None,
    ) -> None:
        theirs = remote or {}
        ours = [*map(_of_kind, kinds), *map(_of_extra, extras)]
        listed = [r for r in ours if (r.group, r.version) not in theirs]
        listed += [r for place, found in theirs.items() for r in _of_remote(place, found)]
        resources = sorted(listed, key=lambda r: r.plural)
        versions: dict[tuple[str, str], list[_Resource]] = {}
        for resource in resources:
            versions.setdefault((resource.group, resource.version), []).append(resource)
        groups: dict[str, list[str]] = {}
        for group, version in sorted(versions):
            groups.setdefault(group, []).append(version)
        groups = {group: _by_preference(found) for group, found in groups.items()}
        self.groups = frozenset(groups)
        self.plain: dict[str, Document] = {
            "/api": _document(_api_versions(groups.get("", []))),
            "/apis": _document(_group_list(groups)),
        }
        for group, found in groups.items():
            if group:
                entry = {"kind": "APIGroup", "apiVersion": "v1", **_group(group, found)}
                self.plain[f"/apis/{group}"] = _document(entry)
        for (group, version), members in versions.items():
            path = f"/apis/{group}/{version}" if group else f"/api/{version}"
            self.plain[path] = _document(_resource_list(group, version, members))
        self._aggregated = {
            (path, shape): _aggregated(path, groups, versions, shape)
            for path in ("/api", "/apis")
            for shape in ("v2", "v2beta1")
        }

    def choose(self, path: str, accept: str) -> Document | None:
        """The document at a path, in the first form of the Accept header that there is."""
        path = path.rstrip("/")
        if path not in {"/api", "/apis"}:
            return self.plain.get(path)
        for accepted in parse_accept(accept):
            if accepted.media != JSON or not accepted.param("as"):
                if accepted.media in {JSON, "*/*", "application/*"}:
                    break
                continue
            if found := self._choose_aggregated(path, accepted):
                return found
        return self.plain[path]

    def _choose_aggregated(self, path: str, accepted: Accepted) -> Document | None:
        if accepted.param("g") != AGGREGATED_GROUP:
            return None
        if accepted.param("as") != "APIGroupDiscoveryList":
            return None
        return self._aggregated.get((path, accepted.param("v")))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Resource:
    group: str
    version: str
    plural: str
    singular: str
    kind: str
    namespaced: bool
    verbs: Sequence[str]
    short_names: Sequence[str] = ()
    categories: Sequence[str] = ()
    subresources: Sequence[Subresource] = ()
    stored: bool = True


def _of_kind(kind: Kind[Any]) -> _Resource:
    return _Resource(
        group=kind.group,
        version=kind.version,
        plural=kind.plural,
        singular=kind.singular,
        kind=kind.kind,
        namespaced=kind.namespaced,
        verbs=_CUSTOM_VERBS if is_custom(kind.type) else sorted(kind.verbs),
        short_names=kind.short_names,
        categories=kind.categories,
        subresources=sorted(kind.subresources, key=lambda s: s.name),
        stored="create" in kind.verbs,
    )


def _of_extra(extra: Extra) -> _Resource:
    return _Resource(
        group=extra.group,
        version=extra.version,
        plural=extra.plural,
        singular=extra.singular,
        kind=extra.kind,
        namespaced=extra.namespaced,
        verbs=extra.verbs,
        stored=False,
    )


def _of_remote(place: tuple[str, str], found: Sequence[dict[str, Any]]) -> list[_Resource]:
    """Resources of another server, each with its sub-resources."""
    below: dict[str, list[Subresource]] = {}
    for entry in found:
        plural, slash, name = str(entry["name"]).partition("/")
        if slash:
            sub = Subresource(
                name=name,
                verbs=tuple(entry.get("verbs") or ()),
                kind=str(entry.get("kind", "")),
                group=str(entry.get("group", "")),
                version=str(entry.get("version", "")),
            )
            below.setdefault(plural, []).append(sub)
    return [
        _Resource(
            group=place[0],
            version=place[1],
            plural=str(entry["name"]),
            singular=str(entry.get("singularName", "")),
            kind=str(entry.get("kind", "")),
            namespaced=bool(entry.get("namespaced")),
            verbs=tuple(entry.get("verbs") or ()),
            short_names=tuple(entry.get("shortNames") or ()),
            categories=tuple(entry.get("categories") or ()),
            subresources=below.get(str(entry["name"]), []),
            stored=False,
        )
        for entry in found
        if "/" not in str(entry["name"])
    ]


def _by_preference(versions: list[str]) -> list[str]:
    """v2 before v1: the newest stable version is the preferred one."""
    return sorted(versions, key=lambda v: ("beta" in v or "alpha" in v, v), reverse=True)


def _document(body: dict[str, Any], media: str = JSON) -> Document:
    data = jsonio.dumps(body)
    return Document(data + b"\n", media, '"' + hashlib.sha256(data).hexdigest().upper() + '"')


def _api_versions(versions: list[str]) -> dict[str, Any]:
    # Clients fall back to the address they came by, so none is claimed here.
    everywhere = [{"clientCIDR": "0.0.0.0/0", "serverAddress": ""}]
    return {
        "kind": "APIVersions",
        "versions": versions,
        "serverAddressByClientCIDRs": everywhere,
    }


def _group(group: str, versions: list[str]) -> dict[str, Any]:
    listed = [{"groupVersion": f"{group}/{v}", "version": v} for v in versions]
    return {"name": group, "versions": listed, "preferredVersion": listed[0]}


def _group_list(groups: dict[str, list[str]]) -> dict[str, Any]:
    listed = [_group(group, versions) for group, versions in groups.items() if group]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}


def _resource_list(group: str, version: str, members: list[_Resource]) -> dict[str, Any]:
    entries: list[dict[str, Any]] = []
    for member in members:
        entries.append(_resource_entry(member))
        entries += [_subresource_entry(member, sub) for sub in member.subresources]
    body: dict[str, Any] = {"kind": "APIResourceList"}
    if group:  # upstream leaves the apiVersion out for the core group
        body["apiVersion"] = "v1"
    body["groupVersion"] = f"{group}/{version}" if group else version
    body["resources"] = entries
    return body


def _resource_entry(member: _Resource) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": member.plural,
        "singularName": member.singular,
        "namespaced": member.namespaced,
        "kind": member.kind,
        "verbs": member.verbs,
    }
    if member.short_names:
        entry["shortNames"] = member.short_names
    if member.categories:
        entry["categories"] = member.categories
    if member.stored:
        entry["storageVersionHash"] = _storage_hash(member)
    return entry


def _storage_hash(member: _Resource) -> str:
    """Name the stored form; a client that sees it change knows that objects were rewritten."""
    text = f"{member.group}/{member.version}/{member.kind}"
    return base64.b64encode(hashlib.sha256(text.encode()).digest()[:8]).decode()


def _subresource_entry(member: _Resource, sub: Subresource) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": f"{member.plural}/{sub.name}",
        "singularName": "",
        "namespaced": member.namespaced,
    }
    if sub.group:  # only where the body is of another group than the resource
        entry |= {"group": sub.group, "version": sub.version}
    return entry | {"kind": sub.kind, "verbs": sorted(sub.verbs)}


def _aggregated(
    path: str,
    groups: dict[str, list[str]],
    versions: dict[tuple[str, str], list[_Resource]],
    shape: str,
) -> Document:
    items = [
        {
            "metadata": {"name": group} if group else {},
            "versions": [
                {
                    "version": version,
                    "resources": [_aggregated_entry(m) for m in versions[group, version]],
                    "freshness": "Current",
                }
                for version in found
            ],
        }
        for group, found in groups.items()
        if bool(group) == (path == "/apis")
    ]
    body = {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": f"{AGGREGATED_GROUP}/{shape}",
        "metadata": {},
        "items": items,
    }
    media = f"{JSON};g={AGGREGATED_GROUP};v={shape};as=APIGroupDiscoveryList"
    return _document(body, media)


def _aggregated_entry(member: _Resource) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "resource": member.plural,
        "responseKind": {"group": "", "version": "", "kind": member.kind},
        "scope": "Namespaced" if member.namespaced else "Cluster",
        "singularResource": member.singular,
        "verbs": member.verbs,
    }
    if member.short_names:
        entry["shortNames"] = member.short_names
    if member.categories:
        entry["categories"] = member.categories
    if member.subresources:
        entry["subresources"] = [
            {
                "subresource": sub.name,
                "responseKind": {
                    "group": sub.group,
                    "version": sub.version if sub.group else "",
                    "kind": sub.kind,
                },
                "verbs": sorted(sub.verbs),
            }
            for sub in member.subresources
        ]
    return entry
