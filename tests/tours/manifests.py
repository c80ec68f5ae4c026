"""A hundred mixed manifests; nothing of them runs.

Left out is what kubectl calls `configured` at each apply, upstream's server or ours: stringData of
Secrets, limits of containers (their defaults stand in the same list), and CronJobs for a kubectl
that does not know their version.
"""

import json
from typing import Any

Json = dict[str, Any]


def _template() -> Json:
    return {
        "metadata": {"labels": {"app": "x"}},
        "spec": {"containers": [{"name": "main", "image": "none:1"}]},
    }


def _workload(kind: str, name: str, **spec: Any) -> Json:
    whole = {"selector": {"matchLabels": {"app": "x"}}, "template": _template(), **spec}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": whole}


def _job() -> Json:
    template = {
        "spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "none:1"}]}
    }
    return {"suspend": True, "template": template}


def _core(kind: str, name: str, **more: Any) -> Json:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **more}


def _of(version: str, kind: str, name: str, **more: Any) -> Json:
    return {**_core(kind, name, **more), "apiVersion": version}


def hundred(*, knows_cron_jobs: bool) -> str:
    """As one list."""
    rbac, net = "rbac.authorization.k8s.io/v1", "networking.k8s.io/v1"
    subject = {"kind": "User", "name": "u", "apiGroup": "rbac.authorization.k8s.io"}
    ref = {"kind": "Role", "name": "h-0", "apiGroup": "rbac.authorization.k8s.io"}
    backend = {"service": {"name": "h-0", "port": {"number": 80}}}
    rule = {
        "host": "a.example",
        "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]},
    }
    away = _template()
    away["spec"]["nodeSelector"] = {"no": "where"}
    found: list[Json] = []
    for n in range(10):
        name = f"h-{n}"
        found += [
            _core("ConfigMap", name, data={"a": "1", "b": "two\nlines\n"}),
            _core("Secret", name, data={"k": "dg=="}),
            _core("ServiceAccount", name),
            _core("Service", name, spec={"selector": {"app": "x"}, "ports": [{"port": 80}]}),
            _workload("Deployment", name, replicas=0),
            _workload("StatefulSet", name, replicas=0, serviceName="h-0"),
            _of(
                rbac,
                "Role",
                name,
                rules=[{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
            ),
            _of(rbac, "RoleBinding", name, roleRef=ref, subjects=[subject]),
            _of(net, "NetworkPolicy", name, spec={"podSelector": {}}),
        ]
    found += [_workload("DaemonSet", f"h-{n}", template=away) for n in range(2)]
    found += [_of("batch/v1", "Job", f"h-{n}", spec=_job()) for n in range(2)]
    schedule = {"schedule": "0 0 1 1 *", "suspend": True, "jobTemplate": {"spec": _job()}}
    cron = _of("batch/v1", "CronJob", "h-0", spec=schedule)
    found.append(cron if knows_cron_jobs else _core("ConfigMap", "h-10", data={"a": "1"}))
    found.append(_of(net, "Ingress", "h-0", spec={"rules": [rule]}))
    found.append(_core("PodTemplate", "h-0", template=_template()))
    found.append(
        _of(
            "policy/v1",
            "PodDisruptionBudget",
            "h-0",
            spec={"minAvailable": 1, "selector": {"matchLabels": {"app": "x"}}},
        )
    )
    found.append(
        _core("LimitRange", "h-0", spec={"limits": [{"type": "Pod", "max": {"cpu": "2"}}]})
    )
    found.append(
        _core(
            "PersistentVolumeClaim",
            "h-0",
            spec={
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": "none",
                "resources": {"requests": {"storage": "1Gi"}},
            },
        )
    )
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": found})
