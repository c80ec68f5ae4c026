"""Open the manifest sources that the options ask for.

Called by the agent; the API's source it makes itself.
"""

from collections.abc import Sequence
from functools import partial

from appliance.api.kinds.core.pod.kind import Pod
from appliance.kit.clock import Clock
from appliance.node.options import NodeOptions
from appliance.node.sources.base import Source
from appliance.node.sources.complaints import Complaints
from appliance.node.sources.etcd import EtcdSource, keys_of
from appliance.node.sources.file import FileSource
from appliance.node.sources.http import HttpSource
from appliance.node.sources.kept import Kept


def manifest_sources(
    options: NodeOptions, clock: Clock, complaints: Complaints, last: Sequence[Pod]
) -> list[Source]:
    """File, URL and etcd, as far as they were asked for; `last` is the wish from before."""
    kept = partial(Kept, node_name=options.node_name, complaints=complaints, last=last)
    made: list[Source] = []
    if options.manifest_path is not None:
        made.append(
            FileSource(
                options.manifest_path,
                period_s=options.file_check_s,
                clock=clock,
                kept=kept(FileSource.name),
                complaints=complaints,
            )
        )
    if options.manifest_url:
        made.append(
            HttpSource(
                options.manifest_url,
                period_s=options.http_check_s,
                clock=clock,
                kept=kept(HttpSource.name),
                complaints=complaints,
            )
        )
    if options.manifest_etcd:
        made.append(
            EtcdSource(
                options.manifest_etcd,
                keys_of(options.manifest_hosts),
                clock=clock,
                kept=kept(EtcdSource.name),
                complaints=complaints,
            )
        )
    return made
