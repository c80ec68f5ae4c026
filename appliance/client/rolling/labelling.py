"""Tell old pods from new: give the old controller and its pods the deployment label. Pure.

Needed once per controller, before an update by image. In this order nothing is lost whenever it
stops: new pods of the old controller get the label by its template, those that there are by us,
and only then does the selector ask for it.
"""

from collections.abc import Sequence

from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.kinds.core.replicationcontroller import ReplicationController
from appliance.api.objects import controller_of
from appliance.client.rolling import marks
from appliance.client.rolling.order import Action, LabelPods, Order, Patch, Wait


def next_step(order: Order, old: ReplicationController, pods: Sequence[Pod]) -> Action | None:
    """Say what is missing still; None when everything bears the label."""
    template = old.spec.template
    key, name = order.label_key, old.metadata.name
    value = template.metadata.labels.get(key) if template is not None else None
    if value is None:
        value = marks.label_of(old)
        body = {"spec": {"template": {"metadata": {"labels": {key: value}}}}}
        return Patch(old, body, says=f"Adding the label {key}={value} to {name}")
    if old.status.observedGeneration < old.metadata.generation:
        return Wait(f"the controller of {name} takes notice")
    bare = tuple(p for p in pods if key not in p.metadata.labels and _belongs(p, old, key))
    if bare:
        return LabelPods(bare, key, value)
    if old.spec.selector.get(key) != value:
        return Patch(old, {"spec": {"selector": {key: value}}})
    return None


def _belongs(pod: Pod, old: ReplicationController, key: str) -> bool:
    """Whether the pod is old's, or was until the selector asked for the label."""
    owner = controller_of(pod)
    if owner is not None:
        return owner.uid == old.metadata.uid
    wanted = {k: v for k, v in old.spec.selector.items() if k != key}
    return wanted.items() <= pod.metadata.labels.items()
