"""Pure: a container of a pod → the `ContainerSpec` for the engine; the sandbox's too.

Called by `execute` when all that a container needs is there: its volumes' host paths, the
texts of its environment, the id of its sandbox.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from appliance.api.kinds.core.pod.container import Container as ContainerWish
from appliance.api.kinds.core.pod.container import VolumeMount
from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.kinds.core.pod.qos import qos_class
from appliance.api.kinds.core.pod.security import PodSecurityContext, SecurityContext
from appliance.api.quantity import milli, value
from appliance.node.pods.actions import StartContainer
from appliance.node.pods.dns import hostname
from appliance.node.pods.env import expand
from appliance.node.pods.view import grace_of, wish_hash
from appliance.node.runtimes import marks
from appliance.node.runtimes.base import ContainerSpec, Limits, Mount, Security

SHARES_PER_CPU = 1024
SHARES_MIN = 2
PERIOD_US = 100_000
QUOTA_MIN_US = 1000
"""The kernel takes no smaller quota."""
SANDBOX_OOM_SCORE = -998
"""The pause process is the last that may be killed."""
GUARANTEED_OOM_SCORE = -997
BEST_EFFORT_OOM_SCORE = 1000
_PROPAGATION = {"HostToContainer": "rslave", "Bidirectional": "rshared"}


class SpecFault(Exception):
    """The container can't be described; `str()` is the message of CreateContainerConfigError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the node prepared for a container."""

    cluster_id: str
    volumes: Mapping[str, str] = field(default_factory=dict)
    """Host path of each volume by its name."""
    read_only: frozenset[str] = frozenset()
    """Volumes that no container may write, whatever its mount says."""
    files: tuple[Mount, ...] = ()
    """resolv.conf, hosts, termination log."""
    env: tuple[tuple[str, str], ...] = ()
    node_memory_bytes: int = 0
    image_user: str = ""
    """The user that the image names, for runAsNonRoot."""


def sandbox_spec(pod: Pod, cluster_id: str, image: str, attempt: int) -> ContainerSpec:
    """The pause container that holds the pod's namespaces."""
    ref = _ref(pod)
    context = pod.spec.securityContext or PodSecurityContext()
    labels = _marks(pod, cluster_id, marks.SANDBOX_NAME) | {
        marks.ROLE: marks.ROLE_SANDBOX,
        marks.RESTART_COUNT: str(attempt),
    }
    return ContainerSpec(
        name=marks.container_name(marks.SANDBOX_NAME, ref, attempt),
        image=image,
        marks=labels,
        hostname="" if pod.spec.hostNetwork else hostname(pod),
        network="host" if pod.spec.hostNetwork else "none",
        pid="host" if pod.spec.hostPID else "",
        ipc="host" if pod.spec.hostIPC else "",
        limits=Limits(cpu_shares=SHARES_MIN, oom_score_adj=SANDBOX_OOM_SCORE),
        security=Security(sysctls={s.name: s.value for s in context.sysctls}),
    )


def container_spec(pod: Pod, start: StartContainer, around: Surroundings) -> ContainerSpec:
    """A container of the pod.

    Raises:
        SpecFault: a mount names no volume, or the image's user may not be used.
    """
    wish = start.wish
    known = dict(around.env)
    sandbox = f"container:{start.sandbox_id}"
    labels = _marks(pod, around.cluster_id, wish.name) | {
        marks.ROLE: start.role,
        marks.RESTART_COUNT: str(start.attempt),
        marks.STREAK: str(start.streak),
        marks.SANDBOX: start.sandbox_id,
        marks.HASH: wish_hash(wish),
    }
    return ContainerSpec(
        name=marks.container_name(wish.name, _ref(pod), start.attempt),
        image=wish.image,
        marks=labels,
        command=tuple(expand(word, known) for word in wish.command),
        args=tuple(expand(word, known) for word in wish.args),
        env=around.env,
        working_dir=wish.workingDir,
        hostname="" if pod.spec.hostNetwork else hostname(pod),
        network="host" if pod.spec.hostNetwork else sandbox,
        pid=f"container:{start.sees}" if start.sees else _pid(pod, sandbox),
        ipc="host" if pod.spec.hostIPC else sandbox,
        mounts=(*_mounts(wish, around, known), *_not_hidden(wish, around.files)),
        limits=replace(limits(wish), oom_score_adj=oom_score(pod, wish, around.node_memory_bytes)),
        security=_security(pod, wish, around.image_user),
        stdin=wish.stdin,
        stdin_once=wish.stdinOnce,
        tty=wish.tty,
    )


def limits(wish: ContainerWish) -> Limits:
    """cgroup limits: shares from the request (the limit where there is none), quota and memory
    from the limits.
    """
    asked, most = wish.resources.requests, wish.resources.limits
    cpu_request = milli(asked["cpu"]) if "cpu" in asked else None
    cpu_limit = milli(most["cpu"]) if "cpu" in most else None
    base = cpu_request if cpu_request is not None else cpu_limit
    shares = max(SHARES_MIN, (base or 0) * SHARES_PER_CPU // 1000)
    quota = max(QUOTA_MIN_US, cpu_limit * PERIOD_US // 1000) if cpu_limit else None
    return Limits(
        cpu_shares=shares,
        cpu_quota_us=quota,
        cpu_period_us=PERIOD_US if quota else None,
        memory_bytes=value(most["memory"]) if "memory" in most else None,
    )


def oom_score(pod: Pod, wish: ContainerWish, node_memory_bytes: int) -> int:
    """Who is killed first when memory runs out: pods that asked for nothing, then those that ask
    for the smaller part of the node, last those whose limits are their requests.
    """
    kind = qos_class(pod.spec)
    if kind == "Guaranteed":
        return GUARANTEED_OOM_SCORE
    if kind == "BestEffort" or not node_memory_bytes:
        return BEST_EFFORT_OOM_SCORE
    asked = value(wish.resources.requests.get("memory", 0))
    score = BEST_EFFORT_OOM_SCORE - BEST_EFFORT_OOM_SCORE * asked // node_memory_bytes
    # below everything of BestEffort, above everything of Guaranteed
    return min(max(score, BEST_EFFORT_OOM_SCORE + GUARANTEED_OOM_SCORE), BEST_EFFORT_OOM_SCORE - 1)


def _pid(pod: Pod, sandbox: str) -> str:
    if pod.spec.hostPID:
        return "host"
    return sandbox if pod.spec.shareProcessNamespace else ""


def _mounts(wish: ContainerWish, around: Surroundings, env: Mapping[str, str]) -> list[Mount]:
    made = []
    for mount in wish.volumeMounts:
        source = around.volumes.get(mount.name)
        if source is None:
            raise SpecFault(
                f'cannot find volume "{mount.name}" to mount into container "{wish.name}"'
            )
        inside = inside_volume(mount, env)
        made.append(
            Mount(
                source=f"{source}/{inside}" if inside else source,
                target=mount.mountPath,
                read_only=mount.readOnly or mount.name in around.read_only,
                propagation=_PROPAGATION.get(mount.mountPropagation or "", ""),
            )
        )
    return made


def inside_volume(mount: VolumeMount, env: Mapping[str, str]) -> str:
    """The path within the volume, "" for all of it.

    Raises:
        SpecFault: it leads out.
    """
    inside = expand(mount.subPathExpr, env) if mount.subPathExpr else mount.subPath
    if inside.startswith("/") or ".." in inside.split("/"):
        raise SpecFault(f'subPath "{inside}" must stay within its volume')
    return inside.strip("/")


def _not_hidden(wish: ContainerWish, files: tuple[Mount, ...]) -> list[Mount]:
    """Our files, but where the pod mounts something of its own."""
    taken = {mount.mountPath.rstrip("/") for mount in wish.volumeMounts}
    return [file for file in files if file.target not in taken]


def _security(pod: Pod, wish: ContainerWish, image_user: str) -> Security:
    whole = pod.spec.securityContext or PodSecurityContext()
    own = wish.securityContext or SecurityContext()
    user = own.runAsUser if own.runAsUser is not None else whole.runAsUser
    group = own.runAsGroup if own.runAsGroup is not None else whole.runAsGroup
    _check_non_root(wish, whole, own, user=user, image_user=image_user)
    groups = [str(g) for g in whole.supplementalGroups]
    if whole.fsGroup is not None:
        groups.append(str(whole.fsGroup))
    capabilities = own.capabilities
    return Security(
        user=_user(user, group, image_user),
        groups=tuple(groups),
        privileged=bool(own.privileged),
        add_capabilities=tuple(capabilities.add) if capabilities else (),
        drop_capabilities=tuple(capabilities.drop) if capabilities else (),
        read_only_root=bool(own.readOnlyRootFilesystem),
        no_new_privileges=own.allowPrivilegeEscalation is False,
    )


def _user(user: int | None, group: int | None, image_user: str) -> str:
    if user is None:
        return "" if group is None else f"{image_user.partition(':')[0] or '0'}:{group}"
    return str(user) if group is None else f"{user}:{group}"


def _check_non_root(
    wish: ContainerWish,
    whole: PodSecurityContext,
    own: SecurityContext,
    *,
    user: int | None,
    image_user: str,
) -> None:
    needed = own.runAsNonRoot if own.runAsNonRoot is not None else whole.runAsNonRoot
    if not needed:
        return
    if user == 0:
        raise SpecFault("container's runAsUser breaks non-root policy")
    name = image_user.partition(":")[0]
    if user is None and name in {"", "0", "root"}:
        raise SpecFault("container has runAsNonRoot and image will run as root")
    if user is None and not name.isdecimal():
        raise SpecFault(
            f"container has runAsNonRoot and image has non-numeric user ({name}), "
            f"cannot verify user is non-root: set runAsUser of container {wish.name}"
        )


def _ref(pod: Pod) -> marks.PodRef:
    return marks.PodRef(pod.metadata.namespace, pod.metadata.name, pod.metadata.uid)


def _marks(pod: Pod, cluster_id: str, container: str) -> dict[str, str]:
    return marks.of_pod(cluster_id, pod.metadata.uid) | {
        marks.POD_NAME: pod.metadata.name,
        marks.POD_NAMESPACE: pod.metadata.namespace,
        marks.CONTAINER_NAME: container,
        marks.GRACE_S: str(int(grace_of(pod))),
    }
