"""The last good pods of each place: what a manifest source holds while what it reads is rubbish.

Each manifest source has one. It begins with what the agent remembers of the source from before
its restart, so that a file that was broken meanwhile stops nothing either. Bounded by the number
of places that the source reads.
"""

from collections.abc import Mapping, Sequence

from appliance.api.kinds.core.pod.kind import Pod
from appliance.node.sources.base import PLACE, SOURCE
from appliance.node.sources.complaints import Complaints
from appliance.node.sources.manifest import ManifestFault, Origin, pods_of

Text = bytes | Exception
"""What was read at a place, or why it could not be read."""


class Kept:
    """Texts by place → pods, the bad ones replaced by what stood there before."""

    def __init__(
        self, source: str, *, node_name: str, complaints: Complaints, last: Sequence[Pod]
    ) -> None:
        self._source = source
        self._node_name = node_name
        self._complaints = complaints
        self._pods: dict[str, list[Pod]] = {}
        for pod in last:
            notes = pod.metadata.annotations
            if notes.get(SOURCE) == source:
                self._pods.setdefault(notes.get(PLACE, ""), []).append(pod)

    def take(self, texts: Mapping[str, Text]) -> list[Pod]:
        """All pods of these places; what is not among them is no longer wanted."""
        self._pods = {place: self._read(place, text) for place, text in texts.items()}
        return [pod for place in sorted(self._pods) for pod in self._pods[place]]

    def _read(self, place: str, text: Text) -> list[Pod]:
        try:
            if isinstance(text, Exception):
                raise text
            pods = pods_of(text, Origin(self._node_name, self._source, place))
        except (ManifestFault, OSError) as fault:
            self._complaints.tell(place, str(fault))
            return self._pods.get(place, [])
        self._complaints.mended(place)
        return pods
