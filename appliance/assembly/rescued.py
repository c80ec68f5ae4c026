"""Tell as an Event of the server's node that its store had to go back to a copy.

Called by `server.py` at each start, once Events can be written. What could not be told is told at
the next start: the store's note of it is taken away only afterwards.
"""

import json

from appliance.api.kinds.core.references import ObjectReference
from appliance.client.base import Client
from appliance.client.events import WARNING, EventRecorder
from appliance.kit.clock import Clock
from appliance.store.base import Store
from appliance.store.notes import Notes
from appliance.store.upkeep.rescue import BOOK, SAYING

REASON = "StoreRescued"


async def tell_rescues(store: Store, client: Client, clock: Clock, node_name: str) -> None:
    """Write the Events that are due; nearly always none."""
    rescues = await store.notes(BOOK) if isinstance(store, Notes) else {}
    if not isinstance(store, Notes) or not rescues:
        return
    # The uid as a kubelet has it in Events of its own node, so that `describe node` shows them.
    about = ObjectReference(kind="Node", apiVersion="v1", name=node_name, uid=node_name)
    recorder = EventRecorder(client, component="appliance", clock=clock, host=node_name)
    for note in rescues.values():
        told = json.loads(note)
        recorder.record(
            about,
            WARNING,
            REASON,
            f"{SAYING}, {told['age_s']} s old when it started: what was written since is lost."
            f" The broken file is kept as {told['broken_file']}",
        )
    await recorder.flush()
    if not recorder.dropped:
        await store.write_notes(BOOK, dict.fromkeys(rescues))
