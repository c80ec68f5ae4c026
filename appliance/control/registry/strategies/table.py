"""Which kinds are written differently, in one visible list."""

import random

from appliance.control.options import ControlOptions
from appliance.control.registry.storage import Storage
from appliance.control.registry.strategies.definition import DefinitionStrategy
from appliance.control.registry.strategies.namespace import NamespaceStrategy
from appliance.control.registry.strategies.persistentvolume import VolumeStrategy
from appliance.control.registry.strategies.pod import PodStrategy
from appliance.control.registry.strategies.service import ServiceStrategy
from appliance.control.registry.strategy import Strategy
from appliance.kit.clock import Clock


class _OrphansDependents(Strategy):
    """Controllers of the first days leave their pods alone unless told otherwise (A83)."""

    orphans_dependents = True


class _Jobs(_OrphansDependents):
    """Said since people keep being surprised by pods that stay."""

    delete_warning = (
        "child pods are preserved by default when jobs are deleted; set propagationPolicy="
        "Background to remove them or set propagationPolicy=Orphan to suppress this warning"
    )


class _Events(Strategy):
    """They are forgotten after an hour; nothing depends on them."""

    collects_garbage = False
    ttl_s = 3600


def default_strategies(
    storage: Storage, *, options: ControlOptions, rng: random.Random, clock: Clock
) -> dict[str, Strategy]:
    """Strategies by kind; a kind that is not named here has the default one."""
    return {
        "CustomResourceDefinition": DefinitionStrategy(),
        "Event": _Events(),
        "Job": _Jobs(),
        "Namespace": NamespaceStrategy(),
        "PersistentVolume": VolumeStrategy(clock),
        "Pod": PodStrategy(),
        "ReplicationController": _OrphansDependents(),
        "Service": ServiceStrategy(storage, options=options, rng=rng),
    }
