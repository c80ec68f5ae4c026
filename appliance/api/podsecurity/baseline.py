"""The level `baseline`: known ways to become root on the node are closed."""

from collections.abc import Iterator

from appliance.api.kinds.core.pod.container import Container, EphemeralContainer
from appliance.api.kinds.core.pod.handlers import LifecycleHandler, Probe
from appliance.api.kinds.core.pod.security import SELinuxOptions
from appliance.api.kinds.core.pod.spec import PodSpec
from appliance.api.podsecurity.words import (
    Check,
    Failure,
    containers,
    context,
    listed,
    named,
    pod_context,
    those,
    unique,
)

CAPABILITIES = frozenset(
    [
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    ]
)
SYSCTLS = frozenset(
    [
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.ping_group_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_rmem",
        "net.ipv4.tcp_wmem",
    ]
)
SELINUX_TYPES = frozenset(
    ("", "container_t", "container_init_t", "container_kvm_t", "container_engine_t")
)
_APP_ARMOR = ("RuntimeDefault", "Localhost")
_OLD_APP_ARMOR = "container.apparmor.security.beta.kubernetes.io/"


def app_armor(spec: PodSpec) -> Iterator[Failure]:
    """No profile that lets everything through."""
    details = []
    profile = pod_context(spec).appArmorProfile
    if profile is not None and profile.type not in _APP_ARMOR:
        details.append(f"pod must not set AppArmor profile type to {listed([profile.type])}")
    for container in containers(spec):
        profile = context(container).appArmorProfile
        if profile is not None and profile.type not in _APP_ARMOR:
            where = named("container", [container.name])
            details.append(
                f"{where} must not set AppArmor profile type to {listed([profile.type])}"
            )
    if details:
        yield Failure("forbidden AppArmor profile", ", ".join(details))


def capabilities(spec: PodSpec) -> Iterator[Failure]:
    """Nothing beyond what a runtime gives by itself."""
    bad, added = [], []
    for container in containers(spec):
        wanted = context(container).capabilities
        beyond = [c for c in (wanted.add if wanted else ()) if c not in CAPABILITIES]
        if beyond:
            bad.append(container.name)
            added += beyond
    if bad:
        what = listed(unique(added))
        where = named("container", bad)
        text = f"{where} must not include {what} in securityContext.capabilities.add"
        yield Failure("non-default capabilities", text)


def host_namespaces(spec: PodSpec) -> Iterator[Failure]:
    """Not the node's network, processes or shared memory."""
    shared = [
        f"{name}=true"
        for name, value in (
            ("hostNetwork", spec.hostNetwork),
            ("hostPID", spec.hostPID),
            ("hostIPC", spec.hostIPC),
        )
        if value
    ]
    if shared:
        yield Failure("host namespaces", ", ".join(shared))


def host_paths(spec: PodSpec) -> Iterator[Failure]:
    """None of the node's files."""
    found = [v.name for v in spec.volumes if v.hostPath is not None]
    if found:
        yield Failure("hostPath volumes", named("volume", found))


def host_ports(spec: PodSpec) -> Iterator[Failure]:
    """None of the node's ports."""
    bad, ports = [], []
    for container in containers(spec):
        taken = [p.hostPort for p in container.ports if p.hostPort]
        if taken:
            bad.append(container.name)
            ports += taken
    if bad:
        uses = "use" if len(bad) > 1 else "uses"
        shown = ", ".join(str(port) for port in sorted(set(ports)))
        many = "hostPorts" if len(set(ports)) > 1 else "hostPort"
        yield Failure("hostPort", f"{named('container', bad)} {uses} {many} {shown}")


def probes(spec: PodSpec) -> Iterator[Failure]:
    """Probes and hooks ask the pod itself, and not others in the node's name."""
    bad = [c.name for c in containers(spec) if any(_hosts(c))]
    if bad:
        text = f"{named('container', bad)} must not set the host of a probe or lifecycle hook"
        yield Failure("probe or lifecycle host", text)


def _hosts(container: Container | EphemeralContainer) -> Iterator[str]:
    handlers: list[Probe | LifecycleHandler | None] = [
        container.livenessProbe,
        container.readinessProbe,
        container.startupProbe,
    ]
    if container.lifecycle is not None:
        handlers += [container.lifecycle.postStart, container.lifecycle.preStop]
    for handler in handlers:
        if handler is not None:
            yield handler.httpGet.host if handler.httpGet is not None else ""
            yield handler.tcpSocket.host if handler.tcpSocket is not None else ""


def privileged(spec: PodSpec) -> Iterator[Failure]:
    """Not as good as root on the node."""
    bad = those(spec, lambda c: bool(c.privileged))
    if bad:
        text = f"{named('container', bad)} must not set securityContext.privileged=true"
        yield Failure("privileged", text)


def proc_mount(spec: PodSpec) -> Iterator[Failure]:
    """No /proc with everything in it."""
    kinds = unique(
        m for c in containers(spec) if (m := context(c).procMount) not in (None, "", "Default")
    )
    if kinds:
        bad = those(spec, lambda c: c.procMount not in (None, "", "Default"))
        where = named("container", bad)
        text = f"{where} must not set securityContext.procMount to {listed(kinds)}"
        yield Failure("procMount", text)


def selinux(spec: PodSpec) -> Iterator[Failure]:
    """Only the types that confine; neither user nor role."""
    setters: list[str] = []
    types: list[str] = []
    others: set[str] = set()
    found: list[tuple[str, SELinuxOptions | None]] = [
        ("pod", pod_context(spec).seLinuxOptions),
        *((named("container", [c.name]), context(c).seLinuxOptions) for c in containers(spec)),
    ]
    for where, options in found:
        if options is None:
            continue
        wrong = {name for name in ("user", "role") if getattr(options, name)}
        if options.type not in SELINUX_TYPES:
            types.append(options.type)
        elif not wrong:
            continue
        others |= wrong
        setters.append(where)
    if setters:
        parts = []
        if types:
            parts.append(f"type{'s' if len(set(types)) > 1 else ''} {listed(unique(types))}")
        parts += [f"{name} may not be set" for name in ("user", "role") if name in others]
        where, what = " and ".join(setters), "; ".join(parts)
        text = f"{where} set forbidden securityContext.seLinuxOptions: {what}"
        yield Failure("seLinuxOptions", text)


def seccomp(spec: PodSpec) -> Iterator[Failure]:
    """System calls are filtered, if anything is said about it."""
    details = []
    profile = pod_context(spec).seccompProfile
    if profile is not None and profile.type == "Unconfined":
        details.append('pod must not set securityContext.seccompProfile.type to "Unconfined"')
    bad = those(
        spec, lambda c: c.seccompProfile is not None and c.seccompProfile.type == "Unconfined"
    )
    if bad:
        where = named("container", bad)
        details.append(f'{where} must not set securityContext.seccompProfile.type to "Unconfined"')
    if details:
        yield Failure("seccompProfile", ", ".join(details))


def sysctls(spec: PodSpec) -> Iterator[Failure]:
    """Only kernel settings that are the pod's own."""
    found = [s.name for s in pod_context(spec).sysctls if s.name not in SYSCTLS]
    if found:
        yield Failure("forbidden sysctls", ", ".join(found))


def windows(spec: PodSpec) -> Iterator[Failure]:
    """No process of the host, on Windows."""
    details = []
    options = pod_context(spec).windowsOptions
    bad = those(spec, lambda c: c.windowsOptions is not None and bool(c.windowsOptions.hostProcess))
    if options is not None and options.hostProcess:
        details.append("pod")
    if bad:
        details.append(named("container", bad))
    if details:
        where = " and ".join(details)
        yield Failure(
            "hostProcess", f"{where} must not set securityContext.windowsOptions.hostProcess=true"
        )


# in the order of upstream's names for them, which is that of its messages
CHECKS: tuple[Check, ...] = (
    app_armor,
    capabilities,
    host_namespaces,
    host_paths,
    host_ports,
    probes,
    privileged,
    proc_mount,
    selinux,
    seccomp,
    sysctls,
    windows,
)
