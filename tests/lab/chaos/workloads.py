"""What runs while chaos reigns: a few of each workload kind, and services over them."""

from typing import Any

Json = dict[str, Any]

SCALED = ("rc", "replicaset", "deployment", "statefulset")
"""Kinds that writers scale."""


def manifests(image: str, copies: int = 2) -> list[Json]:
    """Objects of every workload kind, numbered."""
    return [body for number in range(copies) for body in _set(number, image)]


def _set(number: int, image: str) -> list[Json]:
    return [
        _owner("v1", "ReplicationController", "rc", number, image),
        _owner("apps/v1", "ReplicaSet", "rs", number, image),
        _owner("apps/v1", "Deployment", "deploy", number, image),
        _owner("apps/v1", "StatefulSet", "sts", number, image),
        _owner("apps/v1", "DaemonSet", "ds", number, image),
        _service("deploy", number),
        _service("sts", number, headless=True),
        _job(number, image),
        _cron(number, image),
        {
            **_head("policy/v1", "PodDisruptionBudget", f"deploy-{number}"),
            "spec": {"maxUnavailable": 1, "selector": _labels("deploy", number, wrap=True)},
        },
    ]


def _head(version: str, kind: str, name: str) -> Json:
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": name, "namespace": "default", "labels": {"chaos": "yes"}},
    }


def _labels(short: str, number: int, *, wrap: bool = False) -> Json:
    labels = {"app": f"{short}-{number}"}
    return {"matchLabels": labels} if wrap else labels


def _template(labels: Json, image: str, command: list[str], **spec: Any) -> Json:
    container = {
        "name": "c",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": command,
        "env": [{"name": "ROUND", "value": "0"}],
    }
    return {
        "metadata": {"labels": {**labels, "chaos": "yes"}},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 1, **spec},
    }


def _owner(version: str, kind: str, short: str, number: int, image: str) -> Json:
    body = _head(version, kind, f"{short}-{number}")
    labels = _labels(short, number)
    template = _template(labels, image, ["sleep", "100000"])
    spec: Json = {"template": template, "selector": {"matchLabels": labels}}
    if kind == "ReplicationController":
        spec["selector"] = labels
    if kind != "DaemonSet":
        spec["replicas"] = 2
    if kind == "StatefulSet":
        spec["serviceName"] = body["metadata"]["name"]
        spec["podManagementPolicy"] = "Parallel" if number else "OrderedReady"
    return {**body, "spec": spec}


def _service(short: str, number: int, *, headless: bool = False) -> Json:
    spec: Json = {"selector": _labels(short, number), "ports": [{"port": 80}]}
    if headless:
        spec["clusterIP"] = "None"
    return {**_head("v1", "Service", f"{short}-{number}"), "spec": spec}


def _job(number: int, image: str) -> Json:
    template = _template(
        _labels("job", number), image, ["sh", "-c", "sleep 5"], restartPolicy="Never"
    )
    spec = {"template": template, "completions": 6, "parallelism": 2, "backoffLimit": 1000}
    if number:
        spec["completionMode"] = "Indexed"
    return {**_head("batch/v1", "Job", f"job-{number}"), "spec": spec}


def _cron(number: int, image: str) -> Json:
    template = _template(
        _labels("cron", number), image, ["sh", "-c", "sleep 1"], restartPolicy="OnFailure"
    )
    job = {"spec": {"template": template, "backoffLimit": 1000}}
    spec = {
        "schedule": "* * * * *",
        "concurrencyPolicy": "Forbid" if number else "Replace",
        "successfulJobsHistoryLimit": 1,
        "failedJobsHistoryLimit": 1,
        "jobTemplate": job,
    }
    return {**_head("batch/v1", "CronJob", f"cron-{number}"), "spec": spec}
