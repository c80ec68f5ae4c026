"""Pure: the texts of a pod's resolv.conf and hosts file.

Called by `spec` when the sandbox has its address; the files are mounted into every container.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from appliance.api.kinds.core.pod.kind import Pod

SEARCHES_MAX = 32
NAMESERVERS_MAX = 3
"""glibc reads no more."""
HOSTNAME_MAX = 63


@dataclass(frozen=True, slots=True)
class Resolver:
    """A resolv.conf as values."""

    nameservers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClusterDns:
    """Where pods find the names of services."""

    address: str
    domain: str


def parse_resolv_conf(text: str) -> Resolver:
    """Read the host's file; the last `search` line counts."""
    nameservers: list[str] = []
    searches: list[str] = []
    options: list[str] = []
    for line in text.splitlines():
        words = line.split()
        if not words or words[0].startswith(("#", ";")):
            continue
        match words[0]:
            case "nameserver":
                nameservers.extend(words[1:2])
            case "search" | "domain":
                searches = words[1:]
            case "options":
                options.extend(words[1:])
            case _:
                pass
    return Resolver(tuple(nameservers), tuple(searches), tuple(options))


def resolver(pod: Pod, cluster: ClusterDns, host: Resolver) -> Resolver:
    """What the pod's dnsPolicy and dnsConfig come to."""
    policy = pod.spec.dnsPolicy or "ClusterFirst"
    if policy == "ClusterFirst" and pod.spec.hostNetwork:
        policy = "Default"  # such a pod asks for ClusterFirstWithHostNet if it wants the cluster's
    if policy == "None" or (policy != "Default" and not cluster.address):
        base = Resolver() if policy == "None" else host
    elif policy == "Default":
        base = host
    else:
        domain = cluster.domain
        own = f"{pod.metadata.namespace}.svc.{domain}"
        base = Resolver(
            (cluster.address,), (own, f"svc.{domain}", domain, *host.searches), ("ndots:5",)
        )
    extra = pod.spec.dnsConfig
    if extra is None:
        return base
    return Resolver(
        _unique((*base.nameservers, *extra.nameservers)),
        _unique((*base.searches, *extra.searches)),
        _merged_options(
            base.options,
            [f"{o.name}:{o.value}" if o.value else o.name for o in extra.options],
        ),
    )


def resolv_conf(chosen: Resolver) -> str:
    """The file's text."""
    lines = []
    if chosen.searches:
        lines.append("search " + " ".join(chosen.searches[:SEARCHES_MAX]))
    lines.extend(f"nameserver {address}" for address in chosen.nameservers[:NAMESERVERS_MAX])
    if chosen.options:
        lines.append("options " + " ".join(chosen.options))
    return "".join(line + "\n" for line in lines)


def hostname(pod: Pod) -> str:
    """The pod's host name: its name, cut at 63, without a hanging dash or dot."""
    wished = pod.spec.hostnameOverride or pod.spec.hostname or pod.metadata.name
    return wished[:HOSTNAME_MAX].rstrip("-.")


HOSTS_HEAD = "# Kubernetes-managed hosts file."
"""Programs look for this very line to tell whose file it is."""


def hosts(pod: Pod, address: str, domain: str) -> str:
    """The hosts file of a pod with its own network."""
    name = hostname(pod)
    lines = [
        HOSTS_HEAD,
        "127.0.0.1\tlocalhost",
        "::1\tlocalhost ip6-localhost ip6-loopback",
        "fe00::\tip6-localnet",
        "fe00::\tip6-mcastprefix",
        "fe00::1\tip6-allnodes",
        "fe00::2\tip6-allrouters",
    ]
    names = [name]
    if pod.spec.subdomain:
        full = f"{name}.{pod.spec.subdomain}.{pod.metadata.namespace}.svc.{domain}"
        names = [full, name]
    if address:
        lines.append("\t".join([address, *names]))
    if pod.spec.hostAliases:
        lines.extend(["", "# Entries added by HostAliases."])
        lines.extend("\t".join([a.ip, *a.hostnames]) for a in pod.spec.hostAliases)
    return "\n".join(lines) + "\n"


def _unique(words: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words))


def _merged_options(base: Sequence[str], extra: Sequence[str]) -> tuple[str, ...]:
    """`extra` overrides options of the same name."""
    merged = {option.partition(":")[0]: option for option in (*base, *extra)}
    return tuple(merged.values())
