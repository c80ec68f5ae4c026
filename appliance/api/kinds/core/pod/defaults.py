"""What a pod gets where the user said nothing.

`set_spec_defaults` is for every pod spec, templates too; `set_pod_defaults` adds what only pods
get. Called through kinds. Source: kubernetes `pkg/apis/core/v1/defaults.go`.
"""

from collections.abc import Iterable, Iterator

from appliance.api.kinds.core.pod.container import ContainerFields, EnvVar
from appliance.api.kinds.core.pod.handlers import HTTPGetAction, Lifecycle, Probe
from appliance.api.kinds.core.pod.object import Pod
from appliance.api.kinds.core.pod.pull_policy import pull_policy
from appliance.api.kinds.core.pod.security import PodSecurityContext
from appliance.api.kinds.core.pod.spec import PodSpec
from appliance.api.kinds.core.pod.status import PodIP, PodStatus
from appliance.api.kinds.core.pod.volume_defaults import set_volume_defaults


def set_pod_defaults(obj: Pod) -> None:
    """Default a pod: its spec, and what a limit implies for the request."""
    spec = obj.spec
    for container in (*spec.containers, *spec.initContainers):
        resources = container.resources
        if resources.limits:
            resources.requests = resources.limits | resources.requests
    if spec.resources and spec.resources.limits:
        spec.resources.requests = spec.resources.limits | spec.resources.requests
    if spec.enableServiceLinks is None:
        spec.enableServiceLinks = True
    set_spec_defaults(spec)
    obj.status.phase = obj.status.phase or "Pending"
    _join_addresses(obj.status)


def _join_addresses(status: PodStatus) -> None:
    """podIP is the first of podIPs; whoever writes one writes both. The older name wins."""
    if status.podIP and [p.ip for p in status.podIPs[:1]] != [status.podIP]:
        status.podIPs = [PodIP(ip=status.podIP)]
    elif status.podIPs and not status.podIP:
        status.podIP = status.podIPs[0].ip


def set_spec_defaults(spec: PodSpec) -> None:
    """Default a pod spec."""
    spec.dnsPolicy = spec.dnsPolicy or "ClusterFirst"
    spec.restartPolicy = spec.restartPolicy or "Always"
    spec.schedulerName = spec.schedulerName or "default-scheduler"
    if spec.securityContext is None:
        spec.securityContext = PodSecurityContext()
    if spec.terminationGracePeriodSeconds is None:
        spec.terminationGracePeriodSeconds = 30
    # The older name of the account goes on being read; the newer one wins.
    spec.serviceAccountName = spec.serviceAccountName or spec.serviceAccount
    spec.serviceAccount = spec.serviceAccountName
    for volume in spec.volumes:
        set_volume_defaults(volume)
    for container in (*spec.initContainers, *spec.containers):
        _set_container_defaults(container)
        if spec.hostNetwork:
            for port in container.ports:
                port.hostPort = port.hostPort or port.containerPort
    for extra in spec.ephemeralContainers:
        _set_container_defaults(extra)


def _set_container_defaults(container: ContainerFields) -> None:
    container.imagePullPolicy = container.imagePullPolicy or pull_policy(container.image)
    container.terminationMessagePath = container.terminationMessagePath or "/dev/termination-log"
    container.terminationMessagePolicy = container.terminationMessagePolicy or "File"
    for port in container.ports:
        port.protocol = port.protocol or "TCP"
    _set_env_defaults(container.env)
    for probe in (container.livenessProbe, container.readinessProbe, container.startupProbe):
        if probe:
            _set_probe_defaults(probe)
    if container.lifecycle:
        for call in _http_hooks(container.lifecycle):
            _set_http_defaults(call)


def _set_env_defaults(env: Iterable[EnvVar]) -> None:
    for variable in env:
        source = variable.valueFrom
        if source and source.fieldRef:
            source.fieldRef.apiVersion = source.fieldRef.apiVersion or "v1"
        if source and source.fileKeyRef and source.fileKeyRef.optional is None:
            source.fileKeyRef.optional = False


def _set_probe_defaults(probe: Probe) -> None:
    probe.timeoutSeconds = probe.timeoutSeconds or 1
    probe.periodSeconds = probe.periodSeconds or 10
    probe.successThreshold = probe.successThreshold or 1
    probe.failureThreshold = probe.failureThreshold or 3
    if probe.httpGet:
        _set_http_defaults(probe.httpGet)
    if probe.grpc and probe.grpc.service is None:
        probe.grpc.service = ""


def _http_hooks(lifecycle: Lifecycle) -> Iterator[HTTPGetAction]:
    for hook in (lifecycle.postStart, lifecycle.preStop):
        if hook and hook.httpGet:
            yield hook.httpGet


def _set_http_defaults(call: HTTPGetAction) -> None:
    call.path = call.path or "/"
    call.scheme = call.scheme or "HTTP"
