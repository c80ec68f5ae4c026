"""The admission chain, in order. Every write through the registry passes all of it."""

from collections.abc import Sequence

from appliance.control.access.steps.base import Attempt, Lookup, Step
from appliance.control.access.steps.namespaces import NamespaceLifecycle


def default_chain(lookup: Lookup) -> tuple[Step, ...]:
    """Give the steps of a normal cluster; the order is upstream's."""
    return (NamespaceLifecycle(lookup),)


async def admit(steps: Sequence[Step], attempt: Attempt) -> None:
    """Let one write pass all steps."""
    for step in steps:
        await step.admit(attempt)
