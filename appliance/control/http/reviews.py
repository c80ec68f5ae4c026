"""Reviews: what may I do, who am I. Posted, answered at once, never stored.

`kubectl auth can-i` and `auth whoami` ask these; dashboards ask before they show a button.
Routed by `app.Api`. Source: kubernetes `registry/authorization`, `registry/authentication`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from appliance.api import codec, faults
from appliance.api.errors import BadRequest, Cause, Details, Invalid
from appliance.api.kinds.authentication.reviews import (
    SelfSubjectReview,
    SelfSubjectReviewStatus,
    TokenReview,
    TokenReviewStatus,
    UserInfo,
)
from appliance.api.kinds.authorization.reviews import (
    NonResourceRule,
    ResourceRule,
    SelfSubjectAccessReview,
    SelfSubjectAccessReviewSpec,
    SelfSubjectRulesReview,
    SubjectAccessReview,
)
from appliance.control.access.attributes import Attributes, Authorizer
from appliance.control.access.authn import Authenticator
from appliance.control.access.tokens.accounts import UnknownToken
from appliance.control.http.bodies import Expected, decode_object
from appliance.control.http.discovery import Extra
from appliance.control.http.exchange import Exchange
from appliance.control.http.managers import note_manager
from appliance.control.http.negotiate import View, not_acceptable
from appliance.control.http.resources import begin_write, method_not_allowed
from appliance.control.registry.base import User
from appliance.kit import jsonio
from appliance.kit.clock import Clock, rfc3339

_WITHOUT_MANAGERS = {"SelfSubjectReview", "SelfSubjectRulesReview"}
_AUTHZ, _AUTHN = "authorization.k8s.io", "authentication.k8s.io"


def _extra(group: str, kind: str, *, namespaced: bool = False) -> Extra:
    singular = kind.lower()
    return Extra(
        group=group,
        version="v1",
        plural=f"{singular}s",
        singular=singular,
        kind=kind,
        namespaced=namespaced,
    )


EXTRAS = (
    _extra(_AUTHZ, "SelfSubjectAccessReview"),
    _extra(_AUTHZ, "SubjectAccessReview"),
    _extra(_AUTHZ, "LocalSubjectAccessReview", namespaced=True),
    _extra(_AUTHZ, "SelfSubjectRulesReview"),
    _extra(_AUTHN, "SelfSubjectReview"),
    _extra(_AUTHN, "TokenReview"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviews:
    """Answers each kind of review."""

    authorizer: Authorizer
    authenticator: Authenticator
    clock: Clock

    def find(
        self, group: str, version: str, resource: str
    ) -> Callable[[Exchange], Awaitable[None]] | None:
        """Who answers posts to a resource, if it is a review."""
        handle = _BY_RESOURCE.get((group, resource)) if version == "v1" else None
        return None if handle is None else lambda exchange: handle(self, exchange)

    async def my_access(self, exchange: Exchange) -> None:
        """Answer: may I?"""
        review = await self._read(
            exchange, SelfSubjectAccessReview, "SelfSubjectAccessReview", _AUTHZ
        )
        asked = _attributes(review.spec)
        await self._judge(review, exchange.user, asked)
        await _answer(exchange, review)

    async def access(self, exchange: Exchange) -> None:
        """Answer: may somebody? The local form may ask about its own namespace only."""
        local = exchange.target.resource.startswith("local")
        name = "LocalSubjectAccessReview" if local else "SubjectAccessReview"
        review = await self._read(exchange, SubjectAccessReview, name, _AUTHZ)
        spec = review.spec
        asked = _attributes(spec)
        causes: list[Cause] = []
        if not spec.user and not spec.groups:
            why = "at least one of user or group must be specified"
            causes.append(faults.wrong("spec.user", "", why))
        if local:
            review.metadata.namespace = exchange.target.namespace
            if asked.namespace != exchange.target.namespace:
                path = "spec.resourceAttributes.namespace"
                why = "must match metadata.namespace"
                causes.append(faults.wrong(path, asked.namespace, why))
        if causes:
            raise _invalid(causes)
        extra = {name: tuple(values) for name, values in spec.extra.items()}
        user = User(name=spec.user, groups=tuple(spec.groups), uid=spec.uid, extra=extra)
        await self._judge(review, user, asked)
        await _answer(exchange, review)

    async def _read(self, exchange: Exchange, struct: Any, kind: str, group: str) -> Any:
        if exchange.target.verb != "create" or exchange.target.name:
            raise method_not_allowed()
        call = begin_write(exchange, "CreateOptions")
        expected = Expected(struct, kind, f"{group}/v1")
        raw = await exchange.body()
        review = decode_object(expected, raw, exchange.header(b"content-type"), call)
        review.kind, review.apiVersion = kind, f"{group}/v1"
        if kind not in _WITHOUT_MANAGERS:
            note_manager(review, call, now=self.clock.wall())
        return review

    async def _judge(self, review: Any, user: User, asked: Attributes) -> None:
        decision = await self.authorizer.decide(user, asked)
        review.status.allowed, review.status.reason = decision.allowed, decision.reason

    async def my_rules(self, exchange: Exchange) -> None:
        """List what I may do."""
        review = await self._read(
            exchange, SelfSubjectRulesReview, "SelfSubjectRulesReview", _AUTHZ
        )
        namespace = review.spec.namespace
        if not namespace:
            raise BadRequest("no namespace on request")
        review.spec.namespace = ""  # upstream shows it empty again
        status = review.status
        found = await self.authorizer.rules_of(exchange.user, namespace)
        status.incomplete, status.evaluationError = bool(found.problem), found.problem
        for rule in found.rules:
            verbs = rule.verbs or []
            if rule.nonResourceURLs:
                shown = NonResourceRule(verbs=verbs, nonResourceURLs=rule.nonResourceURLs)
                status.nonResourceRules.append(shown)
            else:
                status.resourceRules.append(
                    ResourceRule(
                        verbs=verbs,
                        apiGroups=rule.apiGroups,
                        resources=rule.resources,
                        resourceNames=rule.resourceNames,
                    )
                )
        await _answer(exchange, review)

    async def who_am_i(self, exchange: Exchange) -> None:
        """Say who is asking."""
        review = await self._read(exchange, SelfSubjectReview, "SelfSubjectReview", _AUTHN)
        review.metadata.creationTimestamp = rfc3339(self.clock.wall())
        review.status = SelfSubjectReviewStatus(userInfo=_user_info(exchange.user))
        await _answer(exchange, review)

    async def whose_token(self, exchange: Exchange) -> None:
        """Say whose a token is."""
        review = await self._read(exchange, TokenReview, "TokenReview", _AUTHN)
        if not review.spec.token:
            raise BadRequest("token is required for TokenReview in authentication")
        try:
            found = await self.authenticator.identify(review.spec.token, review.spec.audiences)
        except UnknownToken as error:
            review.status = TokenReviewStatus(error=str(error))
        else:
            review.status = TokenReviewStatus(
                authenticated=True, user=_user_info(found.user), audiences=list(found.audiences)
            )
        await _answer(exchange, review)


def _user_info(user: User) -> UserInfo:
    extra = {name: list(values) for name, values in user.extra.items()}
    return UserInfo(username=user.name, uid=user.uid, groups=list(user.groups), extra=extra)


_Handle = Callable[[Reviews, Exchange], Awaitable[None]]
_BY_RESOURCE: dict[tuple[str, str], _Handle] = {
    (_AUTHZ, "selfsubjectaccessreviews"): Reviews.my_access,
    (_AUTHZ, "subjectaccessreviews"): Reviews.access,
    (_AUTHZ, "localsubjectaccessreviews"): Reviews.access,
    (_AUTHZ, "selfsubjectrulesreviews"): Reviews.my_rules,
    (_AUTHN, "selfsubjectreviews"): Reviews.who_am_i,
    (_AUTHN, "tokenreviews"): Reviews.whose_token,
}


async def _answer(exchange: Exchange, review: Any) -> None:
    form = exchange.form()
    if form.view is not View.WHOLE:
        raise not_acceptable()  # a review has no metadata to show
    await exchange.answer(codec.encode(review), code=201, form=form)


def _attributes(spec: SelfSubjectAccessReviewSpec) -> Attributes:
    """What is asked.

    Raises:
        Invalid: nothing, or two things at once.
    """
    resource, path = spec.resourceAttributes, spec.nonResourceAttributes
    if resource is not None and path is not None:
        shown = jsonio.dumps({"Path": path.path, "Verb": path.verb}).decode()
        why = f"Invalid value: {shown}: cannot be specified in combination with resourceAttributes"
        raise _invalid([Cause("FieldValueInvalid", why, "spec.nonResourceAttributes")])
    if resource is not None:
        return Attributes(
            verb=resource.verb,
            group=resource.group,
            resource=resource.resource,
            subresource=resource.subresource,
            namespace=resource.namespace,
            name=resource.name,
        )
    if path is not None:
        return Attributes(verb=path.verb, path=path.path)
    why = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
    raise _invalid([faults.wrong("spec.resourceAttributes", None, why)])


def _invalid(causes: list[Cause]) -> Invalid:
    listed = [f"{c.field}: {c.message}" for c in causes]
    text = listed[0] if len(listed) == 1 else "[" + ", ".join(listed) + "]"
    return Invalid(f'.{_AUTHZ} "" is invalid: {text}', Details(group=_AUTHZ, causes=causes))
