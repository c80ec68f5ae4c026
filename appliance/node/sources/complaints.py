"""Say what is wrong with a manifest: one log line and one event of the node per fault.

Shared by all manifest sources, which read the same fault again and again: it is told when it
appears or changes, and once more when it is mended. Bounded by the number of places.
"""

import structlog

from appliance.api.kinds.core.node import NODE
from appliance.api.kinds.core.references import ObjectReference
from appliance.node.events import WARNING, Recorder

log = structlog.get_logger(__name__)

REASON = "ManifestRefused"
TEXT_MAX = 800


class Complaints:
    """What is wrong at which place (path, URL, key)."""

    def __init__(self, recorder: Recorder, node_name: str) -> None:
        self._recorder = recorder
        self._node = ObjectReference(
            kind=NODE.kind, apiVersion=NODE.api_version, name=node_name, uid=node_name
        )
        self._known: dict[str, str] = {}

    def tell(self, place: str, why: str) -> None:
        """This is wrong there; pods that run stay."""
        if self._known.get(place) == why:
            return
        self._known[place] = why
        log.warning("manifest refused", place=place, why=why, pods="those that run stay")
        text = f"{place}: {why}"[:TEXT_MAX]
        self._recorder.record(self._node, WARNING, REASON, text)

    def mended(self, place: str) -> None:
        """All is well there."""
        if self._known.pop(place, None) is not None:
            log.info("manifest understood again", place=place)

    def forget_others(self, places: frozenset[str]) -> None:
        """Only these places are still there."""
        for gone in self._known.keys() - places:
            del self._known[gone]
