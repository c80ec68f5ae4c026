"""The `Source` protocol: somebody who says which pods should be here.

What every implementation promises (`tests/contract/test_source.py`):

* each snapshot is whole: what is not in it is no longer wanted from this source;
* the first one comes as soon as the source knows its pods, and none before;
* a source that can't be read gives no snapshot: the last one stands; of a place within it (a file,
  a key) that can't be read or holds rubbish, the last good pods stand;
* pods come with name, namespace and uid; the uid of a manifest changes when its content does;
* pods are shared: nobody changes them.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from appliance.api.kinds.core.pod.kind import Pod

SOURCE = "kubernetes.io/config.source"
"""Annotation that says where a pod came from: api, file, http, etcd, push."""
PLACE = "appliance.io/manifest"
"""Annotation of a static pod: the path, URL or key of its manifest."""
HASH = "kubernetes.io/config.hash"
"""Annotation of a static pod: hash of its manifest, also its uid."""
MIRROR = "kubernetes.io/config.mirror"
"""Annotation of the API's picture of a static pod: the hash of the pod that it shows."""


class Source(Protocol):
    """One source of pods."""

    @property
    def name(self) -> str:
        """`api`, `file`, `http`, `etcd`, `push`."""
        ...

    def snapshots(self) -> AsyncIterator[Sequence[Pod]]:
        """Yield all pods of this source, again after each change."""
        ...


def is_static(pod: Pod) -> bool:
    """Whether a pod comes from a manifest of this host."""
    return pod.metadata.annotations.get(SOURCE, "api") != "api"
