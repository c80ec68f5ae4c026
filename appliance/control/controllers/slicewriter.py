"""Carries out a `SlicePlan`; the hands of both controllers that make EndpointSlices.

Remembers what it wrote until the cache shows it, so that no slice is made twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from appliance.api.errors import NotFound
from appliance.api.kinds.discovery.endpointslice import ENDPOINT_SLICE, Endpoint, EndpointSlice
from appliance.api.meta import ObjectMeta, OwnerReference
from appliance.client.base import Client, DeleteOptions, clone
from appliance.client.expectations import Expectations
from appliance.client.informer import Informer
from appliance.control.controllers import slices


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceSource:
    """What all slices of one source have in common."""

    namespace: str
    prefix: str
    labels: dict[str, str]
    owner: OwnerReference


class SliceWriter:
    """Writes slices of many sources, each under its own key."""

    def __init__(self, client: Client, informer: Informer[EndpointSlice]) -> None:
        self._client = client
        self._expected = Expectations(informer)

    def is_current(self, key: str) -> bool:
        """Whether the cache shows all that was written for this source."""
        return self._expected.met(key)

    def forget(self, key: str) -> None:
        """The source is gone."""
        self._expected.forget(key)

    async def carry_out(
        self,
        key: str,
        source: SliceSource,
        current: Sequence[EndpointSlice],
        todo: slices.SlicePlan,
    ) -> None:
        """Delete, change and create; labels that differ are put right on the way."""
        going = {old.metadata.uid for old in todo.delete}
        changed = {old.metadata.uid: new for old, new in todo.change}
        for old in current:
            uid = old.metadata.uid
            if uid in going:
                await self._delete(key, old)
            elif uid in changed or old.metadata.labels != source.labels:
                await self._update(key, old, changed.get(uid), source.labels)
        for ports, endpoints in todo.create:
            await self._create(key, source, ports, endpoints)

    async def _create(
        self, key: str, source: SliceSource, ports: slices.Ports, endpoints: list[Endpoint]
    ) -> None:
        made = EndpointSlice(
            metadata=ObjectMeta(
                generateName=f"{source.prefix}-",
                namespace=source.namespace,
                labels=source.labels,
                ownerReferences=[source.owner],
            ),
            addressType="IPv4",
            endpoints=endpoints,
            ports=slices.endpoint_ports(ports),
        )
        stored = await self._client.create(ENDPOINT_SLICE, made, namespace=source.namespace)
        self._expected.created(key, stored)

    async def _update(
        self,
        key: str,
        old: EndpointSlice,
        endpoints: list[Endpoint] | None,
        labels: dict[str, str],
    ) -> None:
        new = clone(old)
        if endpoints is not None:
            new.endpoints = endpoints
        new.metadata.labels = labels
        stored = await self._client.update(ENDPOINT_SLICE, new)
        self._expected.created(key, stored)

    async def _delete(self, key: str, old: EndpointSlice) -> None:
        meta = old.metadata
        try:
            await self._client.delete(
                ENDPOINT_SLICE,
                meta.name,
                namespace=meta.namespace,
                options=DeleteOptions(uid=meta.uid),
            )
        except NotFound:
            return  # the collector was faster
        self._expected.deleted(key, old)
