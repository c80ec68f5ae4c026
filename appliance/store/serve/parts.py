"""What the services of one endpoint are made of; `server.py` puts it together."""

from dataclasses import dataclass, field

from appliance.kit.clock import Clock
from appliance.store.base import Store
from appliance.store.serve.auth.guard import Guard
from appliance.store.serve.identity import Identity
from appliance.store.serve.limits import Limits
from appliance.store.serve.quota import Quota
from appliance.store.serve.tally import Tallies


@dataclass(frozen=True, slots=True)
class Parts:
    """One store, who we are, and what may be done."""

    store: Store
    identity: Identity
    quota: Quota
    guard: Guard
    clock: Clock
    limits: Limits = field(default_factory=Limits)
    tallies: Tallies = field(default_factory=Tallies)
