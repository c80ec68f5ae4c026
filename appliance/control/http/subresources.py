"""Sub-resources: status, scale, binding, eviction, finalize, and the streams of pods.

Called by `resources` routes for URLs with something behind the name. Which verbs a sub-resource
has is said by the kind. Logs are passed on from the node (`streams`), and so are commands and
forwarded ports (`upgrades`).
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from appliance.api.errors import ApiError, BadRequest
from appliance.api.kind import Kind, Subresource
from appliance.api.kinds.autoscaling.scale import Scale
from appliance.api.kinds.core.pod.kind import POD, Binding
from appliance.api.kinds.policy.eviction import Eviction
from appliance.api.meta import KubeObject
from appliance.control.http import bodies
from appliance.control.http.exchange import Exchange
from appliance.control.http.resources import (
    Resources,
    begin_write,
    find_kind,
    method_not_allowed,
    namespace_of,
    no_such_resource,
    patch_with,
)
from appliance.control.registry.base import Registry
from appliance.kit import jsonio

_BINDING = bodies.Expected(Binding, "Binding", "v1")
_EVICTION = bodies.Expected(Eviction, "Eviction", "policy/v1")
_SCALE = bodies.Expected(Scale, "Scale", "autoscaling/v1")
_DONE = jsonio.dumps(
    {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
)

Stream = Callable[[Exchange], Awaitable[None]]


class NotBuilt(ApiError):
    """The sub-resource is known, but this version does not have it."""

    code = 501
    reason = "NotImplemented"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subresources:
    """Handlers of what stands behind an object's name."""

    registry: Registry
    resources: Resources
    stream_logs: Stream
    token: Stream
    """Gives a token of a service account."""
    upgrade: Stream
    """Answers exec, attach and portforward."""
    proxy: Stream
    """Passes requests on to pods, services and nodes."""

    async def handle(self, exchange: Exchange) -> None:
        """Answer a request for a sub-resource."""
        target = exchange.target
        kind = find_kind(self.resources.catalog, target)
        found = _find(kind, target.subresource)
        if found is None or (target.tail and found.name != "proxy"):
            raise no_such_resource()
        # OPTIONS is no verb of the API, but a proxy passes on every method.
        options = found.name == "proxy" and exchange.scope["method"] == "OPTIONS"
        if target.verb not in found.verbs and not options:
            raise method_not_allowed()
        if found.name == "log":
            await self.stream_logs(exchange)
        elif found.name in {"exec", "attach", "portforward"}:
            await self.upgrade(exchange)
        elif found.name == "proxy":
            await self.proxy(exchange)
        elif found.name == "token":
            await self.token(exchange)
        elif found.name == "scale":
            await self._scale(exchange, kind)
        elif found.name in {"binding", "eviction"}:
            await self._post(exchange, kind, target.name)
        elif found.kind == kind.kind:  # status, finalize, ephemeralcontainers: the object's shape
            await self._same_shape(exchange, kind)
        else:
            raise NotBuilt(f"{kind.plural}/{found.name} is not supported by this version")

    async def bind(self, exchange: Exchange) -> None:
        """Answer POST …/bindings, which names the pod in the body only."""
        if exchange.target.verb != "create":
            raise method_not_allowed()
        await self._post(exchange, POD, "")

    async def _same_shape(self, exchange: Exchange, kind: Kind[Any]) -> None:
        act = {"get": self.resources.get, "update": self.resources.update}
        await act.get(exchange.target.verb, self.resources.patch)(exchange, kind)

    async def _post(self, exchange: Exchange, kind: Kind[Any], name: str) -> None:
        """Carry out a Binding or an Eviction."""
        call = begin_write(exchange, "CreateOptions")
        evict = exchange.target.subresource == "eviction"
        expected: bodies.Expected[Any] = _EVICTION if evict else _BINDING
        raw = await exchange.body()
        obj: KubeObject = bodies.decode_object(
            expected, raw, exchange.header(b"content-type"), call
        )
        named = obj.metadata.name
        if name and named != name:
            raise BadRequest(f"name in URL does not match name in {expected.kind} object")
        await self.registry.post(
            kind,
            obj,
            namespace=namespace_of(kind, exchange.target),
            name=named,
            subresource="eviction" if evict else "binding",
            call=call,
        )
        await exchange.answer(_DONE, code=201, form=exchange.form())

    async def _scale(self, exchange: Exchange, kind: Kind[Any]) -> None:
        target = exchange.target
        namespace = namespace_of(kind, target)
        if target.verb == "get":
            item = await self.registry.get_scale(kind, namespace, target.name)
        elif target.verb == "update":
            call = begin_write(exchange, "UpdateOptions")
            raw = await exchange.body()
            scale = bodies.decode_object(_SCALE, raw, exchange.header(b"content-type"), call)
            item, _ = await self.registry.update(
                kind, scale, namespace=namespace, name=target.name, call=call, subresource="scale"
            )
        else:
            item, _ = await patch_with(self.registry, exchange, kind)
        await exchange.answer(item.json, form=exchange.form())


def _find(kind: Kind[Any], name: str) -> Subresource | None:
    return next((s for s in kind.subresources if s.name == name), None)
