"""TokenRequest: checks what is asked for and makes the token.

Called by `control.http.tokens`. Source: kubernetes `pkg/registry/core/serviceaccount/storage`,
whose messages these are.
"""

import random
import uuid
from typing import Any

from appliance.api import errors, faults
from appliance.api.errors import BadRequest, Cause, Details, Forbidden, Invalid
from appliance.api.kind import Kind
from appliance.api.kinds.authentication.tokenrequest import DEFAULT_S, TokenRequest
from appliance.api.kinds.core.node import NODE
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.kinds.core.secret import SECRET
from appliance.api.kinds.core.serviceaccount import SERVICE_ACCOUNT, ServiceAccount
from appliance.control.access.accounts import account_user
from appliance.control.access.nodes import node_of
from appliance.control.access.tokens.accounts import AccountTokens
from appliance.control.access.tokens.claims import Bound, Claims, Ref
from appliance.control.registry.base import Lookup, User
from appliance.kit.clock import Clock, rfc3339

_LEAST_S, _MOST_S = 600, 2**32
_GROUP = "authentication.k8s.io"
_BINDABLE: dict[tuple[str, str], Kind[Any]] = {
    ("v1", "Pod"): POD,
    ("v1", "Secret"): SECRET,
    ("v1", "Node"): NODE,
}


class TokenMaker:
    """Answers TokenRequests."""

    def __init__(
        self, tokens: AccountTokens, lookup: Lookup, *, clock: Clock, rng: random.Random
    ) -> None:
        self._tokens = tokens
        self._lookup = lookup
        self._clock = clock
        self._rng = rng

    async def account(self, namespace: str, name: str) -> ServiceAccount:
        """Find the account.

        Raises:
            NotFound: there is none.
        """
        found = await self._lookup.find(SERVICE_ACCOUNT, namespace, name)
        if found is None:
            raise errors.not_found(SERVICE_ACCOUNT.plural, "", name)
        return found

    async def fill(self, request: TokenRequest, account: ServiceAccount, user: User) -> None:
        """Put the token into the status of a request that `check` found good.

        Raises:
            BadRequest, Conflict, Forbidden, NotFound: the object that it names will not do.
        """
        spec, meta = request.spec, account.metadata
        bound = await self._bound(request, account)
        await self._check_node(request, user, meta.namespace)
        spec.audiences = spec.audiences or [self._tokens.issuer]
        now = int(self._clock.wall())
        end = now + (spec.expirationSeconds or DEFAULT_S)
        claims = Claims(
            aud=spec.audiences,
            exp=end,
            iat=now,
            iss=self._tokens.issuer,
            jti=str(uuid.UUID(int=self._rng.getrandbits(128), version=4)),
            nbf=now,
            sub=account_user(meta.namespace, meta.name),
            bound=bound,
        )
        request.status.token = self._tokens.sign(claims)
        request.status.expirationTimestamp = rfc3339(end)

    async def _bound(self, request: TokenRequest, account: ServiceAccount) -> Bound:
        meta, ref = account.metadata, request.spec.boundObjectRef
        me = Ref(meta.name, meta.uid)
        if ref is None:
            return Bound(namespace=meta.namespace, serviceaccount=me)
        kind = _BINDABLE.get((ref.apiVersion, ref.kind))
        if kind is None:
            group, _, version = ref.apiVersion.rpartition("/")
            shown = f"{group}/{version}, Kind={ref.kind}"
            raise BadRequest(f"cannot bind token to object of type {shown}")
        found = await self._lookup.find(kind, meta.namespace if kind.namespaced else "", ref.name)
        if found is None:
            raise errors.not_found(kind.plural, "", ref.name)
        if ref.uid and ref.uid != found.metadata.uid:
            raise errors.conflict(kind.kind, "", ref.name, _other_uid(ref.uid))
        target = Ref(ref.name, found.metadata.uid)
        if kind is SECRET:
            return Bound(namespace=meta.namespace, serviceaccount=me, secret=target)
        if kind is NODE:
            return Bound(namespace=meta.namespace, serviceaccount=me, node=target)
        pod: Pod = found
        if pod.spec.serviceAccountName != meta.name:
            raise BadRequest(
                f'cannot bind token for serviceaccount "{meta.name}" to pod running with '
                "different serviceaccount name."
            )
        node = await self._node_of(pod)
        return Bound(namespace=meta.namespace, serviceaccount=me, pod=target, node=node)

    async def _node_of(self, pod: Pod) -> Ref | None:
        if not pod.spec.nodeName:
            return None
        node = await self._lookup.find(NODE, "", pod.spec.nodeName)
        return Ref(pod.spec.nodeName, node.metadata.uid if node is not None else "")

    async def _check_node(self, request: TokenRequest, user: User, namespace: str) -> None:
        """A node gets tokens of the pods that it runs, and no others."""
        node = node_of(user)
        if node is None:
            return
        ref = request.spec.boundObjectRef
        why = ""
        if ref is None or ref.kind != "Pod":
            why = "node requested token not bound to a pod"
        elif not ref.uid:
            why = "node requested token with a pod binding without a uid"
        else:
            pod = await self._lookup.find(POD, namespace, ref.name)
            if pod is None or pod.spec.nodeName != node:
                why = "node requested token bound to a pod scheduled on a different node"
        if why:
            name = request.metadata.name
            details = Details(name=name, kind=SERVICE_ACCOUNT.plural)
            raise Forbidden(f'serviceaccounts "{name}" is forbidden: {why}', details)


def check(request: TokenRequest, account: ServiceAccount) -> None:
    """Set defaults and refuse what can't be given.

    Raises:
        Invalid: naming the field.
    """
    meta = request.metadata
    for field, given, own in (
        ("name", meta.name, account.metadata.name),
        ("namespace", meta.namespace, account.metadata.namespace),
    ):
        if given and given != own:
            what = f"must match the service account {field} if specified"
            _refuse(account.metadata.name, faults.wrong(f"metadata.{field}", given, what))
    meta.name, meta.namespace = account.metadata.name, account.metadata.namespace
    meta.uid = account.metadata.uid
    seconds = request.spec.expirationSeconds
    if seconds is None:
        request.spec.expirationSeconds = DEFAULT_S
        return
    where = "spec.expirationSeconds"
    if seconds < _LEAST_S:
        why = "may not specify a duration less than 10 minutes"
        _refuse("", faults.wrong(where, seconds, why))
    if seconds > _MOST_S:
        why = "may not specify a duration larger than 2^32 seconds"
        _refuse("", faults.wrong(where, seconds, why))


def _refuse(name: str, cause: Cause) -> None:
    text = f'TokenRequest.{_GROUP} "{name}" is invalid: {cause.field}: {cause.message}'
    raise Invalid(text, Details(name=name, group=_GROUP, kind="TokenRequest", causes=[cause]))


def _other_uid(uid: str) -> str:
    return (
        f"the UID in the bound object reference ({uid}) does not match the UID in record. "
        "The object might have been deleted and then recreated"
    )
