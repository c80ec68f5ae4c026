"""What a rolling update writes on the two controllers, and the new one made from the old. Pure.

Everything that an interrupted update needs to go on stands in these annotations; they and their
meaning are those of the historical `kubectl rolling-update`, so an update that one tool began
shows as such to the other. Called by `plan.py`.
"""

import hashlib

from appliance.api.codec import encode
from appliance.api.kinds.core.replicationcontroller import ReplicationController
from appliance.api.meta import ObjectMeta
from appliance.client.base import clone
from appliance.client.rolling.order import Order, RollingFault

_PREFIX = "kubectl.kubernetes.io/"
NEXT = _PREFIX + "next-controller-id"
"""On the old one: name of the controller that follows it."""
ORIGINAL = _PREFIX + "original-replicas"
"""On the old one: how many replicas it had; rolling back restores them."""
DESIRED = _PREFIX + "desired-replicas"
"""On the new one: how many it shall have in the end."""
SOURCE = _PREFIX + "update-source-id"
"""On the new one: `name:uid` of the old one."""
HANDOVER = "appliance.local/rolling-update"
"""A finalizer: keeps the temporary controller readable until the old name has taken its spec."""

_HASH_LENGTH = 10
_NAME_MAX = 253


def original(old: ReplicationController) -> int:
    """Replicas that the old one had before the update."""
    return _number(old, ORIGINAL, old.spec.replicas or 0)


def desired(new: ReplicationController) -> int:
    """Replicas that the new one shall have."""
    return _number(new, DESIRED, new.spec.replicas or 0)


def source_of(old: ReplicationController) -> str:
    """The text by which the new one names the old one."""
    return f"{old.metadata.name}:{old.metadata.uid}"


def is_handing_over(new: ReplicationController) -> bool:
    """Whether the temporary controller has been deleted and waits for us alone."""
    meta = new.metadata
    return meta.deletionTimestamp is not None and HANDOVER in meta.finalizers


def label_of(controller: ReplicationController) -> str:
    """A value for the deployment label: a hash of the template."""
    template = controller.spec.template
    raw = encode(template) if template is not None else b""
    return hashlib.sha256(raw).hexdigest()[:_HASH_LENGTH]


def images(controller: ReplicationController) -> tuple[str, ...]:
    """Images of its template, in the order of the containers."""
    template = controller.spec.template
    return tuple(c.image for c in template.spec.containers) if template is not None else ()


def with_image(order: Order, old: ReplicationController) -> ReplicationController:
    """Make the controller with the new image; its name is the order's or the old one's and a hash.

    Raises:
        RollingFault: which container is meant is not clear, or there is none of that name.
    """
    made = clone(old)
    template = made.spec.template
    if template is None:
        raise RollingFault(f"replication controller {order.old} has no template")
    containers = template.spec.containers
    if order.container:
        containers = [c for c in containers if c.name == order.container]
        if not containers:
            known = ", ".join(c.name for c in template.spec.containers)
            raise RollingFault(f"no container {order.container!r} in {order.old}; it has: {known}")
    if len(containers) > 1:
        known = ", ".join(c.name for c in containers)
        raise RollingFault(f"{order.old} has several containers; name one by --container: {known}")
    containers[0].image = order.image
    if order.pull_policy:
        containers[0].imagePullPolicy = order.pull_policy
    template.metadata.labels.pop(order.label_key, None)
    value = label_of(made)
    template.metadata.labels[order.label_key] = value
    made.spec.selector[order.label_key] = value
    room = _NAME_MAX - len(value) - 1
    name = order.new or f"{order.old[:room]}-{value}"
    made.metadata = ObjectMeta(name=name, namespace=order.namespace, labels=old.metadata.labels)
    return made


def target(order: Order, old: ReplicationController) -> ReplicationController:
    """Give the controller that the order wants, as it is to be created: without pods as yet."""
    made = clone(order.controller) if order.controller is not None else with_image(order, old)
    wanted = made.spec.replicas
    made.metadata.annotations = {
        **made.metadata.annotations,
        DESIRED: str(original(old) if wanted is None or order.controller is None else wanted),
        SOURCE: source_of(old),
    }
    made.spec.replicas = 0
    return made


def next_name(order: Order, old: ReplicationController | None) -> str:
    """Name of the new controller; "" when nothing says it."""
    if order.controller is not None:
        return order.controller.metadata.name
    if order.new or old is None:
        return order.new
    if marked := old.metadata.annotations.get(NEXT):
        return marked
    return "" if order.rollback else with_image(order, old).metadata.name


def _number(controller: ReplicationController, annotation: str, otherwise: int) -> int:
    text = controller.metadata.annotations.get(annotation, "")
    return int(text) if text.isdecimal() else otherwise
