"""The two steps of admission that ask webhooks: first those that change, then those that check.

Configurations are asked in the order of their names, webhooks in their order. Those that check
are asked at once.
Source: apiserver `pkg/admission/plugin/webhook/{mutating,validating}`.
"""

import asyncio
import random
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import structlog

from appliance.api import codec, errors
from appliance.api.kind import Kind
from appliance.api.kinds.admissionregistration.mutatingwebhookconfiguration import (
    MUTATING_WEBHOOK_CONFIGURATION,
)
from appliance.api.kinds.admissionregistration.policy_rules import CONDITION_VARIABLES
from appliance.api.kinds.admissionregistration.validatingwebhookconfiguration import (
    VALIDATING_WEBHOOK_CONFIGURATION,
)
from appliance.api.kinds.core.namespace import NAMESPACE
from appliance.api.patch_json import json_patch
from appliance.control.access.policies.matching import ConditionFailed, conditions_hold
from appliance.control.access.policies.variables import of_attempt
from appliance.control.access.steps.base import Attempt
from appliance.control.access.webhooks.caller import Ask, CallFailed
from appliance.control.access.webhooks.matching import is_asked
from appliance.control.access.webhooks.review import (
    BadAnswer,
    Verdict,
    denied,
    question,
    verdict,
)
from appliance.control.registry.base import Lookup

log = structlog.get_logger(__name__)


class _Webhooks:
    """What both steps share."""

    def __init__(self, lookup: Lookup, ask: Ask, rng: random.Random) -> None:
        self._lookup = lookup
        self._ask = ask
        self._rng = rng

    async def _hooks(self, kind: Kind[Any], attempt: Attempt) -> list[Any]:
        configurations = await self._lookup.every(kind)
        if not configurations:
            return []
        namespace = await self._namespace(attempt)
        ordered = sorted(configurations, key=lambda c: c.metadata.name)
        hooks: Iterator[Any] = (hook for found in ordered for hook in found.webhooks)
        asked = [hook for hook in hooks if is_asked(hook, attempt, namespace)]
        if not any(hook.matchConditions for hook in asked):
            return asked
        values = of_attempt(attempt)
        return [hook for hook in asked if _has_conditions_met(hook, attempt, values)]

    async def _namespace(self, attempt: Attempt) -> Mapping[str, str] | None:
        """Labels of the namespace that selectors look at; a namespace is in itself."""
        if attempt.kind is NAMESPACE:
            state = attempt.obj if attempt.obj is not None else attempt.old
            found: Mapping[str, str] = state.metadata.labels
            return found
        if not attempt.kind.namespaced:
            return None
        namespace = await self._lookup.find(NAMESPACE, "", attempt.namespace)
        return namespace.metadata.labels if namespace else {}

    async def _verdict(self, hook: Any, attempt: Attempt) -> Verdict:
        """Ask one webhook; where it may be absent, no answer is a yes.

        Raises:
            InternalError: it does not answer, and must.
        """
        name = hook.name
        if attempt.call.dry_run and hook.sideEffects not in {"None", "NoneOnDryRun"}:
            raise errors.BadRequest(f'admission webhook "{name}" does not support dry run')
        uid = str(uuid.UUID(int=self._rng.getrandbits(128), version=4))
        try:
            body = await self._ask(
                hook.clientConfig, question(attempt, uid), float(hook.timeoutSeconds or 10)
            )
            said = verdict(body, uid)
        except (CallFailed, BadAnswer) as error:
            if hook.failurePolicy == "Ignore":
                log.warning("webhook failed, going on", webhook=name, why=str(error))
                return Verdict(allowed=True)
            why = f'failed calling webhook "{name}": failed to call webhook: {error}'
            raise errors.InternalError(f"Internal error occurred: {why}") from error
        attempt.call.warnings.extend(said.warnings)
        if not said.allowed:
            raise denied(name, said.status)
        return said


def _has_conditions_met(hook: Any, attempt: Attempt, values: dict[str, Any]) -> bool:
    try:
        return conditions_hold(hook.matchConditions, CONDITION_VARIABLES, values)
    except ConditionFailed as failed:
        if hook.failurePolicy == "Ignore":
            return False
        why = f'failed calling webhook "{hook.name}": match condition {failed}'
        raise attempt.forbid(why) from failed


class MutatingWebhooks(_Webhooks):
    """Webhooks that may change what is written, one after the other."""

    async def admit(self, attempt: Attempt) -> None:
        """Ask all that want to know."""
        for hook in await self._hooks(MUTATING_WEBHOOK_CONFIGURATION, attempt):
            said = await self._verdict(hook, attempt)
            if not said.patch or attempt.obj is None:
                continue
            try:
                kind = attempt.kind.kind
                plain = json_patch({**codec.to_plain(attempt.obj), "kind": kind}, said.patch)
                attempt.become(plain)
            except errors.ApiError as error:
                why = f'webhook "{hook.name}" sent a patch that cannot be applied: {error}'
                raise errors.InternalError(f"Internal error occurred: {why}") from error


class ValidatingWebhooks(_Webhooks):
    """Webhooks that may only say no, all at once."""

    async def admit(self, attempt: Attempt) -> None:
        """Ask all that want to know."""
        hooks = await self._hooks(VALIDATING_WEBHOOK_CONFIGURATION, attempt)
        answers = await asyncio.gather(
            *(self._verdict(hook, attempt) for hook in hooks), return_exceptions=True
        )
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
