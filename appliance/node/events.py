"""Events about pods, worded as kubelets word them.

`PodEvents` is handed to everything that acts on a pod; behind it is the recorder that folds and
writes events, which never waits and never fails.
"""

from typing import Protocol

from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.kinds.core.references import ObjectReference

NORMAL = "Normal"
WARNING = "Warning"


class Recorder(Protocol):
    """What takes notes: `client.events.EventRecorder` has this shape."""

    def record(self, about: ObjectReference, kind: str, reason: str, message: str) -> None:
        """Note that something happened; `kind` is NORMAL or WARNING."""
        ...


class PodEvents:
    """Notes about one pod after the other."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def normal(self, pod: Pod, reason: str, message: str, container: str = "") -> None:
        """Something went as it should."""
        self._recorder.record(_about(pod, container), NORMAL, reason, message)

    def warning(self, pod: Pod, reason: str, message: str, container: str = "") -> None:
        """Something did not work."""
        self._recorder.record(_about(pod, container), WARNING, reason, message)


def _about(pod: Pod, container: str) -> ObjectReference:
    """The pod, and the field that names its container: `spec.containers{redis}`."""
    field = ""
    if container:
        kinds = ("initContainers", "ephemeralContainers")
        kind = next(
            (k for k in kinds if any(c.name == container for c in getattr(pod.spec, k))),
            "containers",
        )
        field = f"spec.{kind}{{{container}}}"
    meta = pod.metadata
    return ObjectReference(
        kind=POD.kind,
        apiVersion=POD.api_version,
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        resourceVersion=meta.resourceVersion,
        fieldPath=field,
    )
