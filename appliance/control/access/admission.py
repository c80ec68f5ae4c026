"""The admission chain, in order. Every write through the registry passes all of it."""

import random
from collections.abc import Sequence

from appliance.api.kinds.table import by_kind
from appliance.control.access.policies.bound import FindKind
from appliance.control.access.policies.steps import MutatingPolicies, ValidatingPolicies
from appliance.control.access.steps.base import Attempt, Step
from appliance.control.access.steps.certificates import Certificates
from appliance.control.access.steps.escalation import Escalation
from appliance.control.access.steps.ingressclasses import DefaultIngressClass
from appliance.control.access.steps.limitranges import LimitRanges
from appliance.control.access.steps.namespaces import NamespaceLifecycle
from appliance.control.access.steps.nodes import NodeRestriction
from appliance.control.access.steps.nodetaints import DefaultTolerations, TaintNewNodes
from appliance.control.access.steps.podsecurity import PodSecurity
from appliance.control.access.steps.priorities import Priorities
from appliance.control.access.steps.quotas import Charging, Quotas
from appliance.control.access.steps.runtimeclasses import RuntimeClasses
from appliance.control.access.steps.serviceaccounts import ServiceAccounts
from appliance.control.access.steps.storageclasses import ClaimGrowth, DefaultStorageClass
from appliance.control.access.steps.storageuse import StorageInUse
from appliance.control.access.webhooks.caller import HttpsCaller
from appliance.control.access.webhooks.steps import MutatingWebhooks, ValidatingWebhooks
from appliance.control.options import DEFAULTS, ControlOptions


def default_chain(
    lookup: Charging,
    rng: random.Random,
    *,
    options: ControlOptions = DEFAULTS,
    find_kind: FindKind = by_kind,
) -> tuple[Step, ...]:
    """Give the steps of a normal cluster; the order is upstream's."""
    ask = HttpsCaller(lookup)
    return (
        NamespaceLifecycle(lookup),
        ServiceAccounts(lookup, rng),
        NodeRestriction(),
        Escalation(lookup),
        Certificates(lookup),
        TaintNewNodes(),
        Priorities(lookup),
        DefaultTolerations(not_ready_s=options.not_ready_s, unreachable_s=options.unreachable_s),
        RuntimeClasses(lookup),
        LimitRanges(lookup),
        DefaultStorageClass(lookup),
        DefaultIngressClass(lookup),
        StorageInUse(),
        ClaimGrowth(lookup),
        MutatingPolicies(lookup, find_kind),
        MutatingWebhooks(lookup, ask, rng),
        LimitRanges(lookup),  # again: webhooks may have gone beyond
        PodSecurity(lookup),
        ValidatingPolicies(lookup, find_kind),
        ValidatingWebhooks(lookup, ask, rng),
        Quotas(lookup),  # the last: what it lets through, it charges
    )


async def admit(steps: Sequence[Step], attempt: Attempt) -> None:
    """Let one write pass all steps."""
    for step in steps:
        await step.admit(attempt)
