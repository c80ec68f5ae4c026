"""Objects of all kinds that a person may make, in plain form: for tests of a cluster at rest.

`everything(number)` gives one of each; all have that number in their names. Pods run `image`.
"""

from typing import Any

Json = dict[str, Any]


def everything(number: int, image: str = "web") -> list[Json]:
    """One of each kind; those that run pods run one, or none."""
    return [
        *_plain(number),
        *_cluster_wide(number),
        *_workloads(number, image),
        *_network(number),
        *_access(number),
    ]


def _make(
    kind: str, number: int, version: str = "v1", *, namespaced: bool = True, **rest: Any
) -> Json:
    name = f"{kind.lower()}-{number}"
    meta = {"name": name, "namespace": "default"} if namespaced else {"name": name}
    return {"apiVersion": version, "kind": kind, "metadata": meta, **rest}


def _template(app: str, image: str, **spec: Any) -> Json:
    container = {"name": "c", "image": image, "imagePullPolicy": "IfNotPresent"}
    return {
        "metadata": {"labels": {"app": app}},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 1, **spec},
    }


def _plain(number: int) -> list[Json]:
    quota = {"hard": {"configmaps": "1000", "pods": "1000"}}
    limits = {"limits": [{"type": "PersistentVolumeClaim", "max": {"storage": "1Ti"}}]}
    return [
        _make("ConfigMap", number, data={"a": "b"}),
        _make("Secret", number, stringData={"a": "b"}),
        _make("ServiceAccount", number),
        _make("LimitRange", number, spec=limits),
        _make("ResourceQuota", number, spec=quota),
        _make("PodTemplate", number, template=_template("none", "web")),
        _make("Lease", number, "coordination.k8s.io/v1", spec={"leaseDurationSeconds": 15}),
        _make("ControllerRevision", number, "apps/v1", revision=1, data={"a": 1}),
        _make("PersistentVolumeClaim", number, spec={
            "accessModes": ["ReadWriteOnce"], "storageClassName": "none",
            "resources": {"requests": {"storage": "1Mi"}}}),
    ]  # fmt: skip


def _cluster_wide(number: int) -> list[Json]:
    return [
        _make("Namespace", number, namespaced=False),
        _make("PriorityClass", number, "scheduling.k8s.io/v1", namespaced=False, value=number + 1),
        _make("RuntimeClass", number, "node.k8s.io/v1", namespaced=False, handler="runc"),
        _make("StorageClass", number, "storage.k8s.io/v1", namespaced=False, provisioner="none"),
        _make("CSIDriver", number, "storage.k8s.io/v1", namespaced=False, spec={}),
        _make("PersistentVolume", number, namespaced=False, spec={
            "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Mi"},
            "storageClassName": "other", "hostPath": {"path": "/tmp"}}),
        _make("IngressClass", number, "networking.k8s.io/v1", namespaced=False,
              spec={"controller": "example.org/none"}),
    ]  # fmt: skip


def _workloads(number: int, image: str) -> list[Json]:
    def spec(kind: str, **more: Any) -> Json:
        app = f"{kind}-{number}"
        return {
            "selector": {"matchLabels": {"app": app}},
            "template": _template(app, image),
            **more,
        }

    rc = spec("rc", replicas=1)
    rc["selector"] = {"app": f"rc-{number}"}
    never = {"template": _template("job", image, restartPolicy="Never"), "suspend": True}
    nowhere = {"nodeSelector": {"no": "node"}}
    daemon = {**spec("ds"), "template": _template(f"ds-{number}", image, **nowhere)}
    budget = {"maxUnavailable": 1, "selector": {"matchLabels": {"app": f"deploy-{number}"}}}
    return [
        _make("Deployment", number, "apps/v1", spec=spec("deploy", replicas=1)),
        _make("ReplicaSet", number, "apps/v1", spec=spec("rs", replicas=0)),
        _make("ReplicationController", number, spec=rc),
        _make("DaemonSet", number, "apps/v1", spec=daemon),
        _make("StatefulSet", number, "apps/v1", spec=spec("sts", replicas=0, serviceName="none")),
        _make("Job", number, "batch/v1", spec=never),
        _make("CronJob", number, "batch/v1", spec={
            "schedule": "0 0 29 2 *", "jobTemplate": {"spec": never}}),
        _make("PodDisruptionBudget", number, "policy/v1", spec=budget),
        _make("Pod", number, spec=_template("pod", image, **nowhere)["spec"]),
    ]  # fmt: skip


def _network(number: int) -> list[Json]:
    backend = {"service": {"name": f"service-{number}", "port": {"number": 80}}}
    return [
        _make("Service", number, spec={"selector": {"app": f"deploy-{number}"},
                                       "ports": [{"port": 80}]}),
        _make("Ingress", number, "networking.k8s.io/v1", spec={"defaultBackend": backend}),
        _make("NetworkPolicy", number, "networking.k8s.io/v1", spec={
            "podSelector": {"matchLabels": {"app": "none"}}, "ingress": [{}]}),
    ]  # fmt: skip


def _access(number: int) -> list[Json]:
    group = "rbac.authorization.k8s.io"
    version = f"{group}/v1"
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
    who = [{"kind": "User", "apiGroup": group, "name": "nobody"}]

    def ref(kind: str) -> Json:
        return {"apiGroup": group, "kind": kind, "name": f"{kind.lower()}-{number}"}

    return [
        _make("Role", number, version, rules=rules),
        _make("RoleBinding", number, version, roleRef=ref("Role"), subjects=who),
        _make("ClusterRole", number, version, namespaced=False, rules=rules),
        _make("ClusterRoleBinding", number, version, namespaced=False,
              roleRef=ref("ClusterRole"), subjects=who),
    ]  # fmt: skip
