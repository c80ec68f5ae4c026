"""The seven verbs, for every kind in the table, and the way to sub-resources.

One ASGI endpoint behind /api/v1 and /apis: which kind a URL means is looked up in the table of
kinds, so a new kind needs nothing here. Answers are the registry's bytes.
Source: apiserver `endpoints/installer.go` (which verbs a path has) and `endpoints/handlers`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from appliance.api.custom.object import is_custom
from appliance.api.errors import Details, MethodNotAllowed, NotFound, UnsupportedMediaType
from appliance.api.kind import Kind
from appliance.api.meta import DeleteOptions
from appliance.client.base import PatchType
from appliance.control.custom.catalog import Catalog
from appliance.control.http import bodies, views
from appliance.control.http.exchange import Exchange
from appliance.control.http.params import delete_options, list_query, write_call
from appliance.control.http.target import Target
from appliance.control.http.watch import serve_watch
from appliance.control.registry.base import Call, Registry, Stored
from appliance.kit import jsonio
from appliance.kit.clock import Clock

Handle = Callable[[Exchange, Kind[Any]], Awaitable[None]]

# Said with each answer, in upstream's words; kubectl prints it.
_DEPRECATED = {
    ("", "v1", "endpoints"): "v1 Endpoints is deprecated in v1.33+; "
    "use discovery.k8s.io/v1 EndpointSlice",
    ("", "v1", "componentstatuses"): "v1 ComponentStatus is deprecated in v1.19+",
}

# Upstream answers the delete of these with the object itself, of all others with a Status.
_RETURNED_WHEN_DELETED = {
    "persistentvolumeclaims",
    "persistentvolumes",
    "pods",
    "podtemplates",
    "resourcequotas",
    "serviceaccounts",
    "services",
}


_NO_STRATEGIC = (
    "the body of the request was in an unknown format - accepted media types include:"
    " application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """Handlers of the main resources."""

    registry: Registry
    clock: Clock
    catalog: Catalog = field(default_factory=Catalog)

    async def handle(self, exchange: Exchange) -> None:
        """Answer a request for a main resource."""
        kind = find_kind(self.catalog, exchange.target)
        verb = exchange.target.verb
        warning = kind.deprecation or _DEPRECATED.get((kind.group, kind.version, kind.plural))
        if warning:
            exchange.warnings.append(warning)
        if verb not in _allowed_verbs(kind, exchange.target):
            raise method_not_allowed()
        await _HANDLERS[verb](self, exchange, kind)

    async def get(self, exchange: Exchange, kind: Kind[Any]) -> None:
        """Read one object."""
        target = exchange.target
        item = await self.registry.get(
            kind,
            namespace_of(kind, target),
            target.name,
            resource_version=exchange.params.one.get("resourceVersion", ""),
        )
        await self._send(exchange, kind, item)

    async def list(self, exchange: Exchange, kind: Kind[Any]) -> None:
        """Read many objects."""
        exchange.params.number("timeoutSeconds")  # no list takes that long, but it must be a number
        query = list_query(exchange.params, namespace=exchange.target.namespace, watch=False)
        form = exchange.form()
        page = await self.registry.list(kind, query)
        include = exchange.params.one.get("includeObject", "")
        body = views.page_bytes(kind, page, form, now=self.clock.wall(), include=include)
        await exchange.answer(body, form=form)

    async def watch(self, exchange: Exchange, kind: Kind[Any]) -> None:
        """Follow changes."""
        await serve_watch(exchange, kind, self.registry, self.clock)

    async def create(self, exchange: Exchange, kind: Kind[Any]) -> None:
        """Store a new object."""
        call = begin_write(exchange, "CreateOptions")
        raw = await exchange.body()
        expected = bodies.expected_of(kind)
        obj = bodies.decode_object(expected, raw, exchange.header(b"content-type"), call)
        namespace = namespace_of(kind, exchange.target)
        item = await self.registry.create(kind, obj, namespace=namespace, call=call)
        await self._send(exchange, kind, item, code=201)

    async def update(self, exchange: Exchange, kind: Kind[Any]) -> None:
        """Replace an object."""
        call = begin_write(exchange, "UpdateOptions")
        raw = await exchange.body()
        expected = bodies.expected_of(kind)
        obj = bodies.decode_object(expected, raw, exchange.header(b"content-type"), call)
        target = exchange.target
        item, created = await self.registry.update(
            kind,
            obj,
            namespace=namespace_of(kind, target),
            name=target.name,
            call=call,
            subresource=target.subresource,
        )
        await self._send(exchange, kind, item, code=201 if created else 200)

    async def patch(self, exchange: Exchange, kind: Kind[Any]) -> None:
        """Change parts of an object."""
        item, created = await patch_with(self.registry, exchange, kind)
        await self._send(exchange, kind, item, code=201 if created else 200)

    async def delete(self, exchange: Exchange, kind: Kind[Any]) -> None:
        """Delete one object."""
        raw = await exchange.body()
        sent = bodies.decode_delete_options(raw, exchange.header(b"content-type"))
        options = delete_options(exchange.params, sent)
        target = exchange.target
        call = delete_call(exchange, options)
        item, gone = await self.registry.delete(
            kind,
            namespace=namespace_of(kind, target),
            name=target.name,
            options=options,
            call=call,
        )
        if gone and kind.plural not in _RETURNED_WHEN_DELETED:
            await exchange.answer(deleted_status(kind, item), form=exchange.form())
        else:
            await self._send(exchange, kind, item)

    async def deletecollection(self, exchange: Exchange, kind: Kind[Any]) -> None:
        """Delete all objects that match, and show them."""
        raw = await exchange.body()
        sent = bodies.decode_delete_options(raw, exchange.header(b"content-type"))
        options = delete_options(exchange.params, sent)
        query = list_query(exchange.params, namespace=exchange.target.namespace, watch=False)
        call = delete_call(exchange, options)
        form = exchange.form()
        page = await self.registry.delete_collection(kind, query, options=options, call=call)
        await exchange.answer(views.page_bytes(kind, page, form, now=self.clock.wall()), form=form)

    async def _send(
        self, exchange: Exchange, kind: Kind[Any], item: Stored[Any], *, code: int = 200
    ) -> None:
        form = exchange.form()
        include = exchange.params.one.get("includeObject", "")
        body = views.object_bytes(kind, item, form, now=self.clock.wall(), include=include)
        await exchange.answer(body, code=code, form=form)


_HANDLERS: dict[str, Callable[[Resources, Exchange, Kind[Any]], Awaitable[None]]] = {
    "get": Resources.get,
    "list": Resources.list,
    "watch": Resources.watch,
    "create": Resources.create,
    "update": Resources.update,
    "patch": Resources.patch,
    "delete": Resources.delete,
    "deletecollection": Resources.deletecollection,
}


def find_kind(catalog: Catalog, target: Target) -> Kind[Any]:
    """Look up the kind that a URL means.

    Raises:
        NotFound: there is none, or it has no namespaces and the URL names one.
    """
    kind = catalog.find(target.group, target.version, target.resource)
    if kind is None or (target.has_namespace and not kind.namespaced):
        raise no_such_resource()
    if kind.namespaced and target.name and not target.has_namespace:
        raise no_such_resource()
    return kind


def namespace_of(kind: Kind[Any], target: Target) -> str:
    """Namespace of an object; a Namespace is in its own for authorisation only."""
    return target.namespace if kind.namespaced else ""


def _allowed_verbs(kind: Kind[Any], target: Target) -> frozenset[str]:
    """Which verbs a path has; across all namespaces one can only look."""
    if target.name:
        return frozenset({"get", "update", "patch", "delete", "watch"}) & frozenset(kind.verbs)
    if kind.namespaced and not target.has_namespace:
        return frozenset({"list", "watch"}) & frozenset(kind.verbs)
    return frozenset({"list", "watch", "create", "deletecollection"}) & frozenset(kind.verbs)


def no_such_resource() -> NotFound:
    """404 for a URL."""
    return NotFound("the server could not find the requested resource", Details())


def method_not_allowed() -> MethodNotAllowed:
    """405."""
    message = "the server does not allow this method on the requested resource"
    return MethodNotAllowed(message, Details())


def begin_write(exchange: Exchange, options: str, *, apply: bool = False) -> Call:
    """Read the options of a write; its warnings will go out with the answer."""
    call = write_call(
        exchange.params, exchange.user, agent=exchange.agent, options=options, apply=apply
    )
    call.warnings, call.notes = exchange.warnings, exchange.notes
    if exchange.authorize is not None:
        call.check_create = partial(exchange.authorize, "create")
    return call


def delete_call(exchange: Exchange, options: DeleteOptions) -> Call:
    """Circumstances of a delete."""
    dry_run = bool(options.dryRun)
    return Call(user=exchange.user, dry_run=dry_run, warnings=exchange.warnings)


async def patch_with(
    registry: Registry, exchange: Exchange, kind: Kind[Any]
) -> tuple[Stored[Any], bool]:
    """Carry out a PATCH of the target, or of its sub-resource."""
    how = bodies.patch_type(exchange.header(b"content-type"))
    if how is PatchType.STRATEGIC and is_custom(kind.type):
        raise UnsupportedMediaType(_NO_STRATEGIC, Details())
    call = begin_write(exchange, "PatchOptions", apply=how is PatchType.APPLY)
    body = bodies.decode_patch(how, await exchange.body())
    target = exchange.target
    return await registry.patch(
        kind,
        namespace=namespace_of(kind, target),
        name=target.name,
        how=how,
        body=body,
        call=call,
        subresource=target.subresource,
    )


def deleted_status(kind: Kind[Any], item: Stored[Any]) -> bytes:
    """What a delete answers when the object has gone."""
    meta = item.obj.metadata
    details = {"name": meta.name, "group": kind.group, "kind": kind.plural, "uid": meta.uid}
    return jsonio.dumps(
        {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Success",
            "details": {name: value for name, value in details.items() if value},
        }
    )
