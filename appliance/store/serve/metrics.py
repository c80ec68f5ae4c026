"""/metrics under the names that etcd's dashboards, alerts and `etcdctl check` look for.

Puts, ranges and so on are counted as calls; what a transaction does inside counts as one.

Source: etcd's documentation of metrics; names in server/etcdserver/metrics.go, storage/mvcc.
"""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from appliance.store.base import Status as StoreStatus
from appliance.store.durations import BOUNDS_S, Durations
from appliance.store.prefixquota import PrefixQuotas
from appliance.store.serve.identity import CLUSTER_VERSION, VERSION, Identity
from appliance.store.serve.tally import Tallies, Tally

_KV, _LEASE = "/etcdserverpb.KV/", "/etcdserverpb.Lease/"
_STREAMS = {
    "Watch": "bidi_stream",
    "LeaseKeepAlive": "bidi_stream",
    "Snapshot": "server_stream",
    "RangeStream": "server_stream",
    "Observe": "server_stream",
}
_MESSAGES: Mapping[str, Callable[[Tally], int]] = {
    "started": lambda tally: tally.started,
    "msg_received": lambda tally: tally.received or tally.ok + sum(tally.failed.values()),
    "msg_sent": lambda tally: tally.sent or tally.ok,
}
_DISK = ("etcd_disk_wal_fsync_duration_seconds", "etcd_disk_backend_commit_duration_seconds")
_CALLS = {
    "etcd_mvcc_range_total": _KV + "Range",
    "etcd_mvcc_put_total": _KV + "Put",
    "etcd_mvcc_delete_total": _KV + "DeleteRange",
    "etcd_mvcc_txn_total": _KV + "Txn",
    "etcd_debugging_lease_granted_total": _LEASE + "LeaseGrant",
    "etcd_debugging_lease_revoked_total": _LEASE + "LeaseRevoke",
}


def exposition(status: StoreStatus, identity: Identity, tallies: Tallies, quota_bytes: int) -> str:
    """The page."""
    return "".join(
        (
            *_server(status, identity, quota_bytes),
            *_calls(tallies),
            *_process(),
        )
    )


def prefixes(quotas: PrefixQuotas) -> str:
    """Quotas of prefixes, and how far they are used."""
    used, limits = [], []
    for quota in quotas.quotas:
        shown = quota.prefix.decode(errors="backslashreplace")
        label = json.dumps(shown, ensure_ascii=False)  # escapes as the format wants it
        used.append(f"appliance_store_prefix_bytes{{prefix={label}}} {quota.used_bytes}\n")
        limits.append(f"appliance_store_prefix_quota_bytes{{prefix={label}}} {quota.limit_bytes}\n")
    return (
        "# TYPE appliance_store_prefix_bytes gauge\n"
        + "".join(used)
        + "# TYPE appliance_store_prefix_quota_bytes gauge\n"
        + "".join(limits)
    )


def health(*, good: int, bad: int) -> str:
    """How often /health was asked, and how it answered."""
    counted = {"etcd_server_health_success": good, "etcd_server_health_failures": bad}
    return "".join(_plain("counter", counted))


def disk(commits: Durations) -> str:
    """How long commits took: what etcd does in two steps is one here, so both names tell it."""
    return "".join(line for name in _DISK for line in _histogram(name, commits))


def _histogram(name: str, durations: Durations) -> Iterator[str]:
    yield f"# TYPE {name} histogram\n"
    total = 0
    bounds = [f"{bound:g}" for bound in BOUNDS_S]
    for bound, count in zip((*bounds, "+Inf"), durations.counts, strict=True):
        total += count
        yield f'{name}_bucket{{le="{bound}"}} {total}\n'
    yield f"{name}_sum {durations.sum_s:.6f}\n{name}_count {total}\n"


def _server(status: StoreStatus, identity: Identity, quota_bytes: int) -> Iterator[str]:
    yield from _plain(
        "gauge",
        {
            "etcd_server_has_leader": 1,
            "etcd_server_is_leader": 1,
            "etcd_server_is_learner": 0,
            "etcd_server_quota_backend_bytes": quota_bytes,
            "etcd_server_proposals_applied_total": status.revision,
            "etcd_server_proposals_committed_total": status.revision,
            "etcd_server_proposals_pending": 0,
            "etcd_mvcc_db_total_size_in_bytes": status.size_bytes,
            "etcd_mvcc_db_total_size_in_use_in_bytes": status.size_in_use_bytes,
            "etcd_debugging_mvcc_keys_total": status.keys,
            "etcd_debugging_mvcc_current_revision": status.revision,
            "etcd_debugging_mvcc_compact_revision": status.compact_revision,
        },
    )
    yield from _plain(
        "counter",
        {"etcd_server_leader_changes_seen_total": 1, "etcd_server_proposals_failed_total": 0},
    )
    short = CLUSTER_VERSION.rpartition(".")[0]
    for name, label, value in (
        ("etcd_server_version", "server_version", VERSION),
        ("etcd_cluster_version", "cluster_version", short),
        ("etcd_server_id", "server_id", f"{identity.member_id:x}"),
    ):
        yield f'# TYPE {name} gauge\n{name}{{{label}="{value}"}} 1\n'


def _calls(tallies: Tallies) -> Iterator[str]:
    counted = {name: tallies.ok(path) for name, path in _CALLS.items()}
    counted["etcd_debugging_mvcc_events_total"] = tallies.events
    counted["etcd_debugging_lease_renewed_total"] = tallies.of(_LEASE + "LeaseKeepAlive").sent
    counted["etcd_network_client_grpc_received_bytes_total"] = tallies.received_bytes
    counted["etcd_network_client_grpc_sent_bytes_total"] = tallies.sent_bytes
    yield from _plain("counter", counted)
    watches = {
        "etcd_debugging_mvcc_watch_stream_total": tallies.streams,
        "etcd_debugging_mvcc_watcher_total": tallies.watches,
    }
    yield from _plain("gauge", watches)
    for name, number in _MESSAGES.items():
        yield f"# TYPE grpc_server_{name}_total counter\n"
        for path, tally in tallies.all().items():
            yield f"grpc_server_{name}_total{{{_labels(path)}}} {number(tally)}\n"
    yield "# TYPE grpc_server_handled_total counter\n"
    for path, tally in tallies.all().items():
        ended = {"OK": tally.ok, **{code.name: count for code, count in tally.failed.items()}}
        for code, count in ended.items():
            name = code if code == "OK" else code.title().replace("_", "")
            yield f'grpc_server_handled_total{{grpc_code="{name}",{_labels(path)}}} {count}\n'


def _labels(path: str) -> str:
    service, _, method = path.lstrip("/").rpartition("/")
    kind = _STREAMS.get(method, "unary")
    return f'grpc_method="{method}",grpc_service="{service}",grpc_type="{kind}"'


def _process() -> Iterator[str]:
    """About this process; the store is all there is in it, or a master around it."""
    yield from _plain("counter", {"process_cpu_seconds_total": round(time.process_time(), 2)})
    try:
        resident = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        files = len(os.listdir("/proc/self/fd"))
    except OSError:
        return  # no Linux
    page_size = os.sysconf("SC_PAGE_SIZE")
    yield from _plain(
        "gauge",
        {"process_resident_memory_bytes": resident * page_size, "process_open_fds": files},
    )


def _plain(kind: str, values: dict[str, int] | dict[str, float]) -> Iterator[str]:
    for name, value in values.items():
        yield f"# TYPE {name} {kind}\n{name} {value}\n"
