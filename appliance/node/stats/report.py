"""Pure: measurements → the JSON of /stats/summary and /stats/…, and the text of /metrics/resource.

Called by `serve/usage`. Numbers that the kernel does not keep are left out.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from appliance.kit.clock import rfc3339
from appliance.node.runtimes import marks
from appliance.node.stats.cgroups import Usage
from appliance.node.stats.meter import Disk, Metered, NodeMetered, Rate, Traffic

Json = dict[str, Any]


def cpu(usage: Usage, rate: Rate | None, now: float) -> Json:
    """CPU stats; kubelets do not tell over which time their rate is, we do."""
    return _told(
        {
            "time": rfc3339(now),
            "usageNanoCores": rate.cores_n if rate is not None else None,
            "windowSeconds": round(rate.window_s, 3) if rate is not None else None,
            "usageCoreNanoSeconds": usage.cpu_ns,
        }
    )


def memory(usage: Usage, now: float, available: int | None = None) -> Json:
    """Memory stats; what is available below a limit, where there is one."""
    if available is None and usage.memory_limit_bytes and usage.working_set_bytes is not None:
        available = max(0, usage.memory_limit_bytes - usage.working_set_bytes)
    return _told(
        {
            "time": rfc3339(now),
            "availableBytes": available,
            "usageBytes": usage.memory_bytes,
            "workingSetBytes": usage.working_set_bytes,
            "rssBytes": usage.rss_bytes,
            "pageFaults": usage.page_faults,
            "majorPageFaults": usage.major_page_faults,
        }
    )


def summary(
    node: NodeMetered,
    containers: Iterable[Metered],
    *,
    node_name: str,
    traffic: Mapping[str, Traffic],
    now: float,
) -> Json:
    """The whole of /stats/summary; `traffic` by pod uid."""
    pods: dict[str, list[Metered]] = {}
    for one in containers:
        pods.setdefault(one.container.marks.get(marks.POD_UID, ""), []).append(one)
    return {
        "node": {
            "nodeName": node_name,
            "cpu": cpu(node.usage, node.rate, now),
            "memory": memory(node.usage, now, node.available_bytes),
            "fs": _disk(node.disk, now),
        },
        "pods": [_pod(uid, group, traffic.get(uid), now) for uid, group in sorted(pods.items())],
    }


def resource_metrics(node: NodeMetered, containers: Iterable[Metered], now: float) -> str:
    """Prometheus text in the names of kubelets, which metrics servers read."""
    stamp = int(now * 1000)
    lines: dict[str, list[str]] = {name: [] for name in _METRICS}

    def add(name: str, labels: str, number: float | None) -> None:
        if number is not None:
            lines[name].append(f"{name}{labels} {number} {stamp}")

    add("node_cpu_usage_seconds_total", "", _seconds(node.usage.cpu_ns))
    add("node_memory_working_set_bytes", "", node.usage.working_set_bytes)
    totals: dict[tuple[str, str], list[Usage]] = {}
    for one in containers:
        found = one.container.marks
        namespace, pod = found.get(marks.POD_NAMESPACE, ""), found.get(marks.POD_NAME, "")
        totals.setdefault((namespace, pod), []).append(one.usage)
        name = found.get(marks.CONTAINER_NAME, "")
        if name == marks.SANDBOX_NAME:
            continue
        labels = f'{{container="{name}",namespace="{namespace}",pod="{pod}"}}'
        add("container_cpu_usage_seconds_total", labels, _seconds(one.usage.cpu_ns))
        add("container_memory_working_set_bytes", labels, one.usage.working_set_bytes)
        add("container_start_time_seconds", labels, one.container.started_at)
    for (namespace, pod), usages in totals.items():
        labels = f'{{namespace="{namespace}",pod="{pod}"}}'
        whole = together(usages)
        add("pod_cpu_usage_seconds_total", labels, _seconds(whole.cpu_ns))
        add("pod_memory_working_set_bytes", labels, whole.working_set_bytes)
    lines["resource_scrape_error"].append("resource_scrape_error 0")
    return "".join(
        f"# HELP {name} {words}\n# TYPE {name} {kind}\n" + "".join(f"{x}\n" for x in lines[name])
        for name, (kind, words) in _METRICS.items()
        if lines[name]
    )


_METRICS = {
    "container_cpu_usage_seconds_total": ("counter", "CPU time of the container in seconds"),
    "container_memory_working_set_bytes": ("gauge", "Working set of the container in bytes"),
    "container_start_time_seconds": ("gauge", "Start of the container, seconds since 1970"),
    "node_cpu_usage_seconds_total": ("counter", "CPU time of the node in seconds"),
    "node_memory_working_set_bytes": ("gauge", "Working set of the node in bytes"),
    "pod_cpu_usage_seconds_total": ("counter", "CPU time of the pod in seconds"),
    "pod_memory_working_set_bytes": ("gauge", "Working set of the pod in bytes"),
    "resource_scrape_error": ("gauge", "1 if something could not be read"),
}


def together(usages: Iterable[Usage]) -> Usage:
    """The sum."""
    found = list(usages)

    def total(name: str) -> int | None:
        numbers = [n for u in found if (n := getattr(u, name)) is not None]
        return sum(numbers) if numbers else None

    return Usage(
        cpu_ns=total("cpu_ns"),
        memory_bytes=total("memory_bytes"),
        working_set_bytes=total("working_set_bytes"),
        rss_bytes=total("rss_bytes"),
        page_faults=total("page_faults"),
        major_page_faults=total("major_page_faults"),
        processes=total("processes"),
    )


def _pod(uid: str, group: list[Metered], traffic: Traffic | None, now: float) -> Json:
    found = group[0].container.marks
    whole = together(one.usage for one in group)
    rates = [one.rate for one in group if one.rate is not None]
    made: Json = {
        "podRef": {
            "name": found.get(marks.POD_NAME, ""),
            "namespace": found.get(marks.POD_NAMESPACE, ""),
            "uid": uid,
        },
        "startTime": rfc3339(min(one.container.created_at for one in group)),
        "containers": [
            {
                "name": one.container.marks[marks.CONTAINER_NAME],
                "startTime": rfc3339(one.container.started_at),
                "cpu": cpu(one.usage, one.rate, now),
                "memory": memory(one.usage, now),
            }
            for one in group
            if one.container.marks.get(marks.CONTAINER_NAME) != marks.SANDBOX_NAME
        ],
        "cpu": cpu(whole, _sum_of(rates), now),
        "memory": memory(whole, now),
    }
    if traffic is not None:
        made["network"] = {"time": rfc3339(now), "name": "eth0", **_network(traffic)}
    if whole.processes is not None:
        made["process_stats"] = {"process_count": whole.processes}
    return made


def _sum_of(rates: Sequence[Rate]) -> Rate | None:
    if not rates:
        return None
    return Rate(sum(rate.cores_n for rate in rates), max(rate.window_s for rate in rates))


def _network(traffic: Traffic) -> Json:
    return {
        "rxBytes": traffic.received_bytes,
        "rxErrors": traffic.received_errors,
        "txBytes": traffic.sent_bytes,
        "txErrors": traffic.sent_errors,
    }


def _disk(disk: Disk, now: float) -> Json:
    return {
        "time": rfc3339(now),
        "availableBytes": disk.free_bytes,
        "capacityBytes": disk.capacity_bytes,
        "usedBytes": disk.capacity_bytes - disk.free_bytes,
        "inodesFree": disk.inodes_free,
        "inodes": disk.inodes,
        "inodesUsed": disk.inodes - disk.inodes_free,
    }


def _seconds(cpu_ns: int | None) -> float | None:
    return None if cpu_ns is None else cpu_ns / 1e9


def _told(numbers: Json) -> Json:
    return {name: number for name, number in numbers.items() if number is not None}
