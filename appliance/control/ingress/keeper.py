"""Serves ingresses of the class `haproxy`: one look makes the whole configuration anew.

Ingresses, their services and certificates are few and change seldom; that pods come and go does not
matter, as requests go to services. What cannot be served is an event on its ingress; the rest is
served. The status tells the address where requests come in. Runs beside the controllers.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from appliance.api.errors import AlreadyExists
from appliance.api.kinds.core.secret import SECRET, Secret
from appliance.api.kinds.core.service import SERVICE
from appliance.api.kinds.networking.ingress import CLASS_ANNOTATION, INGRESS, Ingress
from appliance.api.kinds.networking.ingress_spec import IngressLoadBalancerIngress
from appliance.api.kinds.networking.ingressclass import (
    DEFAULT_ANNOTATION,
    INGRESS_CLASS,
    IngressClass,
    IngressClassSpec,
)
from appliance.api.meta import ObjectMeta
from appliance.client.base import Client, clone
from appliance.client.cache import key_of
from appliance.client.controller import DONE, Result, Runner, Watch
from appliance.client.events import WARNING, Recorder, reference
from appliance.client.informer import Informers
from appliance.control.ingress.haproxy import Entry, certificate_list, config_of
from appliance.control.ingress.process import HAProxy, ProxyFault
from appliance.control.ingress.routes import Fault, Table, table_of

log = structlog.get_logger(__name__)

CONTROLLER = "appliance.local/ingress"
CLASS = "haproxy"
ALL = "all"
_LIST = "certificates.list"


@dataclass(frozen=True, slots=True, kw_only=True)
class IngressOptions:
    """Where requests come in; `address` is what the status tells people."""

    proxy: HAProxy
    address: str
    http_port: int
    https_port: int
    default_pem: bytes
    """Certificate and key for hosts that have none of their own."""


class Ingresses:
    """All ingresses that are ours, as one piece of work."""

    name = "ingress"

    def __init__(
        self, client: Client, informers: Informers, *, options: IngressOptions, recorder: Recorder
    ) -> None:
        self._client = client
        self._options = options
        self._recorder = recorder
        self._ingresses = informers.of(INGRESS)
        self._classes = informers.of(INGRESS_CLASS)
        self._services = informers.of(SERVICE)
        self._secrets = informers.of(SECRET)
        self._applied: tuple[Any, ...] = ()
        self._told: set[Fault] = set()
        self._runs = asyncio.Event()

    def watches(self) -> Sequence[Watch]:
        """All that the configuration is made of."""
        return [
            Watch(self._ingresses, _all, _spec_changed),
            Watch(self._classes, _all),
            Watch(self._services, _all, _spec_changed),
            Watch(self._secrets, _all, _certificate_changed),
        ]

    async def follow(self, runner: Runner) -> None:
        """Wake `runner` at first, and whenever HAProxy is gone; run until cancelled."""
        self._applied = ()
        runner.poke(ALL)
        while True:
            await self._runs.wait()
            await self._options.proxy.ended()
            self._runs.clear()
            self._applied = ()
            log.warning("haproxy is gone and is started again")
            runner.poke(ALL)

    async def reconcile(self, _key: str) -> Result:
        """Make the configuration, and have it run."""
        await self._ensure_class()
        ours = [one for one in self._ingresses.cache.list() if self._is_ours(one)]
        table = table_of(ours, lambda ns, name: self._services.cache.get(f"{ns}/{name}"))
        paths = await asyncio.to_thread(self._certificates, ours, table)
        entry = Entry(
            address="*",
            http_port=self._options.http_port,
            https_port=self._options.https_port,
            certificates=str(self._options.proxy.certificates.parent / _LIST),
        )
        config = config_of(table.routes, entry)
        default = str(self._options.proxy.certificates / "default.pem")
        lists = {_LIST: certificate_list(paths, default).encode()}
        pems = tuple(self._pem(name) for name in sorted(table.hosts_of))
        state = (config, lists[_LIST], pems)
        if state != self._applied:
            await self._options.proxy.apply(config, lists)
            self._applied = state
            self._runs.set()
        self._tell(table.faults)
        for ingress in ours:
            await self._point(ingress)
        return DONE

    def _is_ours(self, ingress: Ingress) -> bool:
        name = ingress.spec.ingressClassName
        if name is None:
            name = ingress.metadata.annotations.get(CLASS_ANNOTATION, "")
        found = self._classes.cache.get(name)
        return found is not None and found.spec.controller == CONTROLLER

    async def _ensure_class(self) -> None:
        every = self._classes.cache.list()
        if any(one.spec.controller == CONTROLLER for one in every):
            return
        meta = ObjectMeta(name=CLASS)
        if not any(one.metadata.annotations.get(DEFAULT_ANNOTATION) == "true" for one in every):
            meta.annotations = {DEFAULT_ANNOTATION: "true"}
        made = IngressClass(metadata=meta, spec=IngressClassSpec(controller=CONTROLLER))
        try:
            await self._client.create(INGRESS_CLASS, made)
        except AlreadyExists:
            log.debug("the class is there already", name=CLASS)

    def _certificates(self, ours: Iterable[Ingress], table: Table) -> dict[str, list[str]]:
        """Put certificates in place: path → hosts."""
        proxy = self._options.proxy
        proxy.put_certificate("default", self._options.default_pem)
        users = {
            f"{one.metadata.namespace}/{entry.secretName}": key_of(one)
            for one in ours
            for entry in one.spec.tls
        }
        paths: dict[str, list[str]] = {}
        for name, hosts in table.hosts_of.items():
            pem = self._pem(name)
            if pem is None:
                why = f'there is no secret "{name}" with tls.crt and tls.key'
                table.faults.append(Fault(users[name], why))
                continue
            try:
                path = proxy.put_certificate(name.replace("/", "_"), pem)
            except ProxyFault as error:
                table.faults.append(Fault(users[name], f'secret "{name}": {error}'))
            else:
                paths[str(path)] = sorted(hosts)
        return paths

    def _pem(self, name: str) -> bytes | None:
        secret = self._secrets.cache.get(name)
        if secret is None or not {"tls.crt", "tls.key"} <= set(secret.data):
            return None
        return bytes(secret.data["tls.crt"]) + b"\n" + bytes(secret.data["tls.key"])

    def _tell(self, faults: Iterable[Fault]) -> None:
        now = set(faults)
        for fault in sorted(now - self._told, key=lambda one: (one.ingress, one.message)):
            ingress = self._ingresses.cache.get(fault.ingress)
            if ingress is not None:
                about = reference(INGRESS, ingress)
                self._recorder.record(about, WARNING, "NotServed", fault.message)
        self._told = now

    async def _point(self, ingress: Ingress) -> None:
        """Say where the ingress can be reached."""
        here = [IngressLoadBalancerIngress(ip=self._options.address)]
        if ingress.status.loadBalancer.ingress == here:
            return
        new = clone(ingress)
        new.status.loadBalancer.ingress = here
        await self._client.update(INGRESS, new, subresource="status")


def _all(_obj: Any) -> list[str]:
    return [ALL]


def _spec_changed(old: Any, new: Any) -> bool:
    return old is None or new is None or old.spec != new.spec


def _certificate_changed(old: Secret | None, new: Secret | None) -> bool:
    either = new or old
    if either is None or "tls.crt" not in either.data:
        return False
    return old is None or new is None or old.data != new.data
