"""Whether a cluster is what it is wanted to be: every difference as a sentence.

`faults` reads everything once through the API and the engine. No sentence means: desired equals
actual, no orphan, no duplicate.
"""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.lab.chaos.harm import World, running

Json = dict[str, Any]
KINDS = "rc,replicasets,deployments,statefulsets,daemonsets,jobs,cronjobs,pods,endpointslices,nodes"
ENDED = ("Succeeded", "Failed")


def faults(world: World) -> list[str]:
    """What is not as it should be; also when the master can't be asked."""
    done = world.fleet.master.run("get", KINDS, "-A", "-o", "json")
    if done.returncode != 0:
        return [done.stderr]
    items = json.loads(done.stdout)["items"]
    by_kind: dict[str, list[Json]] = {}
    for one in items:
        by_kind.setdefault(one["kind"], []).append(one)
    found = [*_sizes(by_kind), *_daemons(by_kind), *_jobs(by_kind), *_orphans(items)]
    found += [*_containers(world, by_kind), *_endpoints(by_kind)]
    return found


def name_of(one: Json) -> str:
    return f"{one['kind']}/{one['metadata']['name']}"


def owner_of(one: Json) -> str:
    refs = one["metadata"].get("ownerReferences", [])
    return next((ref["uid"] for ref in refs if ref.get("controller")), "")


def is_ready(pod: Json) -> bool:
    conditions = pod["status"].get("conditions", [])
    return any((c["type"], c["status"]) == ("Ready", "True") for c in conditions)


def _sizes(by_kind: dict[str, list[Json]]) -> Iterator[str]:
    """As many pods as wanted, all ready, all of the newest template, and the status says so."""
    pods = by_kind.get("Pod", [])
    sets = by_kind.get("ReplicaSet", [])
    for kind in ("ReplicationController", "ReplicaSet", "Deployment", "StatefulSet"):
        for one in by_kind.get(kind, []):
            owners = {one["metadata"]["uid"]}
            if kind == "Deployment":
                owners = {s["metadata"]["uid"] for s in sets if owner_of(s) in owners}
            mine = [p for p in pods if owner_of(p) in owners]
            status, wanted = one["status"], one["spec"]["replicas"]
            seen = {
                "pods": len(mine),
                "ready": sum(map(is_ready, mine)),
                "status.replicas": status.get("replicas", 0),
                "status.readyReplicas": status.get("readyReplicas", 0),
                "status.availableReplicas": status.get("availableReplicas", 0),
            }
            if kind in {"Deployment", "StatefulSet"}:
                seen["status.updatedReplicas"] = status.get("updatedReplicas", 0)
            wrong = {what: number for what, number in seen.items() if number != wanted}
            if wrong:
                yield f"{name_of(one)} wants {wanted}: {wrong}"
            if status.get("observedGeneration") != one["metadata"].get("generation"):
                yield f"{name_of(one)} has not been seen in its last form"
            if "deletionTimestamp" in one["metadata"]:
                yield f"{name_of(one)} is still being deleted"


def _daemons(by_kind: dict[str, list[Json]]) -> Iterator[str]:
    nodes = len(by_kind.get("Node", []))
    for one in by_kind.get("DaemonSet", []):
        mine = [p for p in by_kind.get("Pod", []) if owner_of(p) == one["metadata"]["uid"]]
        where = Counter(p["spec"].get("nodeName", "") for p in mine if is_ready(p))
        updated = one["status"].get("updatedNumberScheduled", 0)
        if len(where) != nodes or set(where.values()) != {1} or updated != nodes:
            yield f"{name_of(one)} is on {dict(where)}, {updated} of the newest template"


def _jobs(by_kind: dict[str, list[Json]]) -> Iterator[str]:
    for one in by_kind.get("Job", []):
        status, wanted = one["status"], one["spec"].get("completions", 1)
        if status.get("active") or status.get("succeeded", 0) != wanted:
            yield f"{name_of(one)} wants {wanted} ends: {status}"
    for one in by_kind.get("CronJob", []):
        if one["status"].get("active"):
            yield f"{name_of(one)} still has {one['status']['active']}"


def _orphans(items: list[Json]) -> Iterator[str]:
    uids = {one["metadata"]["uid"] for one in items}
    for one in items:
        owner = owner_of(one)
        if one["kind"] == "Pod" and not owner:
            yield f"{name_of(one)} belongs to nobody: {one['metadata'].get('labels')}"
        if owner and owner not in uids and one["kind"] in {"Pod", "ReplicaSet", "Job"}:
            yield f"{name_of(one)} has lost its owner"


def _containers(world: World, by_kind: dict[str, list[Json]]) -> Iterator[str]:
    """Exactly one container runs for each pod that runs, and none for others."""
    counted: Counter[str] = Counter()
    for container in running(world):
        if container.labels.get("io.kubernetes.container.name") != "POD":
            counted[container.labels.get("io.kubernetes.pod.uid", "?")] += 1
    living = {
        p["metadata"]["uid"]: name_of(p)
        for p in by_kind.get("Pod", [])
        if p["status"].get("phase") not in ENDED
    }
    for uid, number in counted.items():
        if uid not in living:
            yield f"{number} containers run for a pod that is not there: {uid}"
        elif number != 1:
            yield f"{number} containers run for {living[uid]}"
    for uid in living.keys() - counted.keys():
        yield f"no container runs for {living[uid]}"


def _endpoints(by_kind: dict[str, list[Json]]) -> Iterator[str]:
    for piece in by_kind.get("EndpointSlice", []):
        service = piece["metadata"].get("labels", {}).get("kubernetes.io/service-name", "")
        if not service.startswith(("deploy-", "sts-")):
            continue
        listed = {
            address
            for endpoint in piece.get("endpoints") or []
            if endpoint["conditions"].get("ready")
            for address in endpoint["addresses"]
        }
        pods = {
            p["status"].get("podIP", "")
            for p in by_kind.get("Pod", [])
            if p["metadata"].get("labels", {}).get("app") == service and is_ready(p)
        }
        if listed != pods:
            yield f"service {service} leads to {listed}, its pods are {pods}"
