"""ReplicationController: keep `spec.replicas` pods that match the selector."""

from appliance.api import labels
from appliance.api.kinds.core.replicationcontroller import (
    REPLICATION_CONTROLLER,
    ReplicationController,
    ReplicationControllerCondition,
    ReplicationControllerStatus,
)
from appliance.client.base import Client
from appliance.client.events import Recorder
from appliance.client.informer import Informers
from appliance.control.controllers.replicating import Flavour, Replicating
from appliance.kit.clock import Clock


def _selector(rc: ReplicationController) -> labels.Selector:
    # Without a selector the API takes the template's labels; an empty one selects nothing.
    return labels.from_map(rc.spec.selector) if rc.spec.selector else labels.NOTHING


FLAVOUR = Flavour(
    name="replication",
    kind=REPLICATION_CONTROLLER,
    selector=_selector,
    status=ReplicationControllerStatus,
    condition=ReplicationControllerCondition,
)


class Replication(Replicating[ReplicationController]):
    """Replicas of replication controllers."""

    def __init__(
        self, client: Client, informers: Informers, *, clock: Clock, recorder: Recorder
    ) -> None:
        super().__init__(FLAVOUR, client, informers, clock=clock, recorder=recorder)
