"""The command line of the agent that a server starts beside itself."""

import sys

from appliance.assembly.place import Place
from appliance.config.nodekeys import NODE_KEYS
from appliance.config.schema import Config

CONTROL_PLANE = "node-role.kubernetes.io/control-plane=true"
"""Label of the server's own node; `kubectl get nodes` shows it as the role."""


def agent_argv(config: Config, place: Place, port: int) -> list[str]:
    """The agent takes its place from us and the rest of its configuration as we do."""
    given = {
        "data-dir": config.data_dir,
        "server": f"https://127.0.0.1:{port}",
        "node-name": place.node_name,
        "node-ip": place.node_ip,
        "cluster-cidr": config.cluster_cidr,
        "service-cidr": config.service_cidr,
        "cluster-dns": config.dns_address,
        "cluster-domain": config.cluster_domain,
        "kubelet-port": str(config.kubelet_port),
        "runtime": config.runtime,
        "runtime-endpoint": config.runtime_endpoint,
        "proxy-mode": config.proxy_mode,
        "manifest-path": config.manifest_path,
        "default-local-storage-path": config.default_local_storage_path,
        "file-check-frequency": f"{config.file_check_frequency:g}s",
        "manifest-url": config.manifest_url,
        "http-check-frequency": f"{config.http_check_frequency:g}s",
        "sync-frequency": f"{config.sync_frequency:g}s",
        "log-format": config.log_format,
        "log-level": config.log_level,
    }
    flags = [part for name, value in given.items() if value for part in (f"--{name}", value)]
    for name, values in (
        ("node-label", (CONTROL_PLANE, *config.node_label)),
        ("node-taint", config.node_taint),
        ("manifest-etcd", config.manifest_etcd),
        ("disable", config.disable),
    ):
        flags += [part for value in values for part in (f"--{name}", value)]
    for key in NODE_KEYS:
        value = getattr(config, key.attribute)
        if key.kind == "bool":
            flags += [f"--{key.name}"] if value else []
        elif value != key.default:
            text = f"{value:g}s" if key.kind == "seconds" else str(value)
            flags += [f"--{key.name}", text]
    return [sys.executable, "-m", "appliance", "agent", "--with-parent", *flags]
