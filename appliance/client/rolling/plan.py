"""The next step of a rolling update, decided from what there is now. Pure.

`update.py` looks, asks `decide`, carries the step out, and looks again. No step relies on an
earlier one having been made by the same process, so an update that was interrupted anywhere goes
on when the same command is given again, and can be turned back.

    forward   label the old pods (--image) → mark old → create new with 0 → one up, one down …
              → delete old and unmark new, or (--image) hand new's pods and spec to the old name
    back      the same sizes the other way round → delete new → unmark old

Handing over never leaves the pods without a record of their template: new gets a finalizer of
ours, is deleted with its pods orphaned, stays readable; old takes its spec, adopts the pods, and
the finalizer goes.
"""

from dataclasses import dataclass

from appliance.api.kinds.core.replicationcontroller import ReplicationController
from appliance.client.rolling import handover, labelling, marks
from appliance.client.rolling.order import Action, Create, Delete, Order, Patch, Refuse, Wait, World

SURGE = 1
"""Pods that there may be above the wanted number while they are exchanged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A controller in figures."""

    wanted: int = 0
    available: int = 0


def decide(order: Order, world: World) -> Action:
    """Say what to do next."""
    return _back(order, world) if order.rollback else _forward(order, world)


def sizes(leaving: Side, coming: Side, desired: int) -> tuple[int, int]:
    """Wanted sizes of both after the next step; the same as now means: wait for pods.

    One step changes one of them, growth first. At no time are there more than `desired` + SURGE,
    nor, as far as the leaving pods are well, fewer than `desired` available.

    >>> sizes(Side(wanted=3), Side(), 3)
    (3, 1)
    >>> sizes(Side(wanted=3), Side(wanted=1, available=1), 3)
    (2, 1)
    """
    up = desired if not leaving.wanted else min(desired, desired + SURGE - leaving.wanted)
    if up > coming.wanted or coming.wanted > desired:
        return leaving.wanted, min(max(up, coming.wanted), desired)
    spare = leaving.wanted + min(coming.available, coming.wanted) - desired
    return leaving.wanted - min(max(spare, 0), leaving.wanted), coming.wanted


def _forward(order: Order, world: World) -> Action:
    old, new = world.old, world.new
    if old is None:
        return _without_old(order, new)
    if new is None:
        return _begin(order, world, old)
    if marks.is_handing_over(new):
        return handover.go_on(old, new, world.pods)
    return (
        _strange(order, old, new)
        or _mark(old, new.metadata.name)
        or _resize(leaving=old, coming=new, desired=marks.desired(new))
        or _settle(order, old, new)
    )


def _settle(order: Order, old: ReplicationController, new: ReplicationController) -> Action:
    """All pods are exchanged."""
    if order.keeps_name:
        return handover.begin(old, new)
    if old.metadata.deletionTimestamp is not None:
        return Wait(f"{old.metadata.name} is being deleted")
    return Delete(old, f"Update succeeded. Deleting {old.metadata.name}")


def _without_old(order: Order, new: ReplicationController | None) -> Action:
    """Old is gone: by us, if new says so."""
    source = new.metadata.annotations.get(marks.SOURCE, "") if new is not None else ""
    if new is not None and source.partition(":")[0] == order.old:
        return Patch(new, _annotations(marks.SOURCE, marks.DESIRED), last=True)
    return Refuse(f"there is no replication controller {order.old} in {order.namespace}")


def _begin(order: Order, world: World, old: ReplicationController) -> Action:
    made = marks.target(order, old)
    name = made.metadata.name
    return (
        _same_name(order, name)
        or (_image_is_there(order, old, made) if order.image else None)
        or (labelling.next_step(order, old, world.pods) if order.image else None)
        or _same_pods(made, old)
        or _mark(old, name)
        or Create(made, f"Created {name}")
    )


def _same_name(order: Order, name: str) -> Action | None:
    if name != order.old:
        return None
    return Refuse(f"the new controller must have another name than {order.old}")


def _image_is_there(
    order: Order, old: ReplicationController, made: ReplicationController
) -> Action | None:
    if marks.images(old) != marks.images(made):
        return None
    if marks.NEXT in old.metadata.annotations:  # all is done but for this
        return Patch(old, _annotations(marks.NEXT, marks.ORIGINAL), last=True)
    return Refuse(f"{order.old} runs the image {order.image} already")


def _strange(order: Order, old: ReplicationController, new: ReplicationController) -> Action | None:
    name = new.metadata.name
    if (fault := _same_name(order, name)) is not None:
        return fault
    if new.metadata.deletionTimestamp is not None:
        return Wait(f"{name} is being deleted")
    if new.metadata.annotations.get(marks.SOURCE) != marks.source_of(old):
        why = f"{name} is there already, and not from an update of {order.old}"
        return Refuse(f"{why}; delete it, or take another name")
    if marks.images(marks.target(order, old)) != marks.images(new):
        shown = ", ".join(marks.images(new))
        why = f"an update of {order.old} to {shown} ({name}) is under way"
        return Refuse(f"{why}; finish it with that image, or undo it with --rollback")
    return None


def _same_pods(new: ReplicationController, old: ReplicationController) -> Action | None:
    """Refuse if the selectors of both mean the same pods."""
    labels = new.spec.template.metadata.labels if new.spec.template is not None else {}
    selector = new.spec.selector or labels
    if any(selector.get(key, value) != value for key, value in old.spec.selector.items()):
        return None
    return Refuse(
        f"the selector of {new.metadata.name} must have a key of {old.metadata.name}'s with "
        "another value, or both would reach for the same pods"
    )


def _back(order: Order, world: World) -> Action:
    old, new = world.old, world.new
    if old is None:
        return Refuse(f"there is no replication controller {order.old} in {order.namespace}")
    if new is None:
        if marks.NEXT not in old.metadata.annotations:
            return Refuse(f"no update of {order.old} is under way; there is nothing to roll back")
        step = _grow(old, Side(), marks.original(old))
        return step or Patch(old, _annotations(marks.NEXT, marks.ORIGINAL), last=True)
    name = new.metadata.name
    return (
        _past_undoing(order, old, new)
        or (handover.let_go(new) if marks.HANDOVER in new.metadata.finalizers else None)
        or _resize(leaving=new, coming=old, desired=marks.original(old))
        or Delete(new, f"Rolled back. Deleting {name}")
    )


def _past_undoing(
    order: Order, old: ReplicationController, new: ReplicationController
) -> Action | None:
    name = new.metadata.name
    if marks.is_handing_over(new):
        why = f"all pods of {order.old} are exchanged, only the name is being handed over"
        return Refuse(f"{why}; give the same command without --rollback")
    if new.metadata.deletionTimestamp is not None:
        return Wait(f"{name} is being deleted")
    if new.metadata.annotations.get(marks.SOURCE) != marks.source_of(old):
        return Refuse(f"{name} is not from an update of {order.old}; there is nothing to roll back")
    return None


def _resize(
    *, leaving: ReplicationController, coming: ReplicationController, desired: int
) -> Action | None:
    """The next change of size, a reason to wait, or None when all pods are exchanged."""
    gone, come = _side(leaving), _side(coming)
    if (action := _grow(coming, gone, desired)) is not None:
        return action
    to_leave, _ = sizes(gone, come, desired)
    if to_leave != gone.wanted:
        name = leaving.metadata.name
        says = f"Scaling {name} down to {to_leave}"
        return Patch(leaving, {"spec": {"replicas": to_leave}}, says=says, after_pause=True)
    if gone.wanted or come.available < come.wanted:
        name = coming.metadata.name
        return Wait(f"{name}: {come.available} of {come.wanted} pods available")
    return None


def _grow(controller: ReplicationController, gone: Side, desired: int) -> Action | None:
    """Bring the coming side to its next size."""
    side = _side(controller)
    _, to_come = sizes(gone, side, desired)
    if to_come == side.wanted:
        return None
    says = f"Scaling {controller.metadata.name} up to {to_come}"
    return Patch(controller, {"spec": {"replicas": to_come}}, says=says)


def _mark(old: ReplicationController, name: str) -> Action | None:
    notes = old.metadata.annotations
    if notes.get(marks.NEXT) == name and marks.ORIGINAL in notes:
        return None
    values = {marks.NEXT: name, marks.ORIGINAL: str(marks.original(old))}
    return Patch(old, {"metadata": {"annotations": values}})


def _side(controller: ReplicationController) -> Side:
    status = controller.status
    # A status about an older spec says nothing of the pods that there will be.
    seen = status.observedGeneration >= controller.metadata.generation
    return Side(
        wanted=controller.spec.replicas or 0, available=status.availableReplicas if seen else 0
    )


def _annotations(*gone: str) -> dict[str, object]:
    return {"metadata": {"annotations": dict.fromkeys(gone)}}
