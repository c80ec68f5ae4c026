"""ReplicaSet: keep `spec.replicas` pods that match the selector; deployments roll with them."""

from appliance.api import labels
from appliance.api.kinds.apps.replicaset import (
    REPLICA_SET,
    ReplicaSet,
    ReplicaSetCondition,
    ReplicaSetStatus,
)
from appliance.client.base import Client
from appliance.client.events import Recorder
from appliance.client.informer import Informers
from appliance.control.controllers.replicating import Flavour, Replicating
from appliance.kit.clock import Clock

FLAVOUR = Flavour(
    name="replicaset",
    kind=REPLICA_SET,
    selector=lambda owner: labels.from_label_selector(owner.spec.selector),
    status=ReplicaSetStatus,
    condition=ReplicaSetCondition,
)


class ReplicaSets(Replicating[ReplicaSet]):
    """Replicas of replica sets."""

    def __init__(
        self, client: Client, informers: Informers, *, clock: Clock, recorder: Recorder
    ) -> None:
        super().__init__(FLAVOUR, client, informers, clock=clock, recorder=recorder)
