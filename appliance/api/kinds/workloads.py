"""What the kinds that make pods from a template share: checks, cells and warnings.

Called by the kinds of `apps` and `batch`; pure.
Source: kubernetes `pkg/apis/apps/validation`, `pkg/printers/internalversion`.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from appliance.api import faults, names
from appliance.api import labels as selection
from appliance.api.errors import BadRequest, Cause
from appliance.api.kinds import checks
from appliance.api.kinds.cells import NONE
from appliance.api.kinds.core.internal_form import internal_form
from appliance.api.kinds.core.pod.spec import PodTemplateSpec
from appliance.api.kinds.core.pod.validate import template as check_template
from appliance.api.kinds.core.pod.warnings import warn_spec
from appliance.api.meta import LabelSelector
from appliance.api.schema import Message

POD_NAMES = (
    "metadata.name: this is used in Pod names and hostnames, which can result in surprising"
    " behavior; a DNS label is recommended: "
)
MISMATCH = "`selector` does not match template `labels`"


def selector(found: LabelSelector | None, path: str, *, empty: str) -> Iterator[Cause]:
    """Check the selector of a kind that must have one; `empty` names the kind in the message."""
    if found is None:
        yield faults.required(path)
        return
    yield from checks.selector(found, path)
    if not found.matchLabels and not found.matchExpressions:
        yield faults.wrong(path, found, f"empty selector is invalid for {empty}")


def selects(found: LabelSelector | None, template: PodTemplateSpec) -> bool | None:
    """Whether a selector selects pods of a template; None where it makes no sense."""
    try:
        chosen = selection.from_label_selector(found)
    except BadRequest:
        return None
    return chosen.matches(template.metadata.labels)


def template(
    found: PodTemplateSpec, path: str, *, selected_by: LabelSelector | None, kind: str
) -> Iterator[Cause]:
    """Check a template whose pods run for ever."""
    if selects(selected_by, found) is False:
        yield faults.wrong(f"{path}.metadata.labels", shown_labels(found), MISMATCH)
    yield from check_template(found, path)
    policy = found.spec.restartPolicy
    if policy != "Always":
        yield faults.unsupported(f"{path}.spec.restartPolicy", policy, ("Always",))
    if found.spec.activeDeadlineSeconds is not None:
        why = f"activeDeadlineSeconds in {kind} is not Supported"
        yield faults.forbidden(f"{path}.spec.activeDeadlineSeconds", why)


def count_or_percent(value: int | str | None, path: str) -> Iterator[Cause]:
    """Refuse what is neither a count nor a percentage."""
    if isinstance(value, str):
        yield from checks.named(names.percent, value, path)
    else:
        yield from checks.not_negative(value, path)


def at_most_all(value: int | str | None, path: str) -> Iterator[Cause]:
    """Refuse more than 100%."""
    if isinstance(value, str) and amount(value) > 100:
        yield faults.wrong(path, value, "must not be greater than 100%")


def amount(value: int | str | None) -> int:
    """The number of a count or of a percentage; 0 for what is neither."""
    if isinstance(value, str):
        return int(value[:-1]) if not names.percent(value) else 0
    return value or 0


def counts(status: Message, fields: Sequence[str]) -> Iterator[Cause]:
    """Refuse numbers below zero in a status."""
    for name in fields:
        yield from checks.not_negative(getattr(status, name), f"status.{name}")


def not_above(status: Message, fields: Sequence[str], bound: str, shown: str) -> Iterator[Cause]:
    """Refuse numbers in a status that are above another one of it."""
    most = getattr(status, bound)
    for name in fields:
        if getattr(status, name) > most:
            value = getattr(status, name)
            yield faults.wrong(f"status.{name}", value, f"cannot be greater than {shown}")


def collisions(new: int | None, old: int | None) -> Iterator[Cause]:
    """Refuse a count of collisions that goes back."""
    yield from checks.not_negative(new, "status.collisionCount")
    if old is not None and (new is None or new < old):
        yield faults.wrong("status.collisionCount", new or 0, "cannot be decremented")


def shown(value: Message) -> Any:
    """Show a struct in a message as upstream does, with the names of its inner form."""
    return internal_form(value)


def shown_labels(found: PodTemplateSpec) -> dict[str, str] | None:
    """Show the labels of a template in a message: sorted, none are null."""
    return dict(sorted(found.metadata.labels.items())) or None


def shown_template(found: PodTemplateSpec) -> dict[str, Any]:
    """Show a template in a message as upstream does."""
    labels = shown_labels(found)
    annotations = dict(sorted(found.metadata.annotations.items()))
    plain: dict[str, Any] = {"labels": labels} if labels else {}
    plain |= {"annotations": annotations} if annotations else {}
    return {**plain, "Spec": internal_form(found.spec)}


def containers_and_images(found: PodTemplateSpec | None) -> list[str]:
    """Give the cells that name containers and their images."""
    inside = found.spec.containers if found else []
    return [",".join(c.name for c in inside), ",".join(c.image for c in inside)]


def selector_cell(found: LabelSelector | None) -> str:
    """Print a selector in a cell."""
    try:
        return str(selection.from_label_selector(found)) or NONE
    except BadRequest:
        return "<error>"


def warn_name(name: str) -> Iterator[str]:
    """Warn of names that make odd names of pods."""
    if why := names.dns_label(name):
        yield f"{POD_NAMES}[{' '.join(why)}]"


def warn_template(found: PodTemplateSpec, path: str) -> Iterator[str]:
    """Name what the author of a template should look at again."""
    yield from warn_spec(found.spec, f"{path}.spec")
