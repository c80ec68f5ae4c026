"""One frozen Config for a server or an agent; what each value means stands in `keys.py`."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from appliance.config.compaction import AutoCompaction, auto_compaction
from appliance.config.datastore import EtcdUrls, parse_endpoint
from appliance.config.prefixquota import prefix_quotas
from appliance.config.problems import Problem
from appliance.config.urls import listen_urls
from appliance.proxy.dns.servers import parse_server, parse_stub

_CHOOSE = -1
_UPSTREAM_S = 300
_UNREACHABLE_S = 5  # with the 40 s of silence before it, pods are elsewhere within a minute
_MAX_PORT = 65535
_WITH_CERT_FILE = {"listen-client-urls", "listen-metrics-urls"}
_HTTPS_REMEDY = {
    **dict.fromkeys(_WITH_CERT_FILE, "https needs cert-file and key-file"),
    # A node's certificate would open it, and the store holds every secret.
    "etcd-listen-client-urls": "must be http, and is best kept on 127.0.0.1",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Every key with its value; `origins` says where each came from."""

    role: str
    data_dir: str = "/var/lib/appliance"
    token: str = field(default="", repr=False)
    token_file: str = ""
    bind_address: str = "0.0.0.0"  # noqa: S104 - see keys.py
    https_listen_port: int = 6443
    advertise_address: str = ""
    cluster_cidr: str = "10.42.0.0/16"
    service_cidr: str = "10.43.0.0/16"
    cluster_dns: str = ""
    cluster_domain: str = "cluster.local"
    dns_upstream: tuple[str, ...] = ()
    dns_stub: tuple[str, ...] = ()
    tls_san: tuple[str, ...] = ()
    write_kubeconfig: str = ""
    write_kubeconfig_mode: str = "0600"
    token_auth_file: str = ""
    audit_log_path: str = ""
    audit_policy_file: str = ""
    ingress: str = "off"
    ingress_http_port: int = 80
    ingress_https_port: int = 443
    history_retention: float = 86_400.0
    disable: tuple[str, ...] = ()
    default_local_storage_path: str = ""
    disable_agent: bool = False
    disable_scheduler: bool = False
    scheduler_config: str = ""
    disable_controller_manager: bool = False
    default_not_ready_toleration_seconds: int = 300
    default_unreachable_toleration_seconds: int = -1
    server: str = ""
    node_name: str = ""
    node_ip: str = ""
    node_label: tuple[str, ...] = ()
    node_taint: tuple[str, ...] = ()
    kubelet_port: int = 10250
    runtime: str = "auto"
    runtime_endpoint: str = ""
    proxy_mode: str = "auto"
    manifest_path: str = ""
    file_check_frequency: float = 20.0
    manifest_url: str = ""
    http_check_frequency: float = 20.0
    manifest_etcd: tuple[str, ...] = ()
    sync_frequency: float = 60.0
    private_registry: str = "/etc/appliance/registries.yaml"
    disable_default_registry_endpoint: bool = False
    eviction_hard: str = (
        "memory.available<100Mi,nodefs.available<5%,nodefs.inodesFree<5%,imagefs.available<5%"
    )
    eviction_soft: str = ""
    eviction_soft_grace_period: str = ""
    eviction_max_pod_grace_period: int = 0
    eviction_pressure_transition_period: float = 300.0
    eviction_minimum_reclaim: str = "nodefs.available=10%,imagefs.available=10%"
    kube_reserved: str = ""
    system_reserved: str = ""
    image_gc_high_threshold: int = 85
    image_gc_low_threshold: int = 80
    minimum_image_ttl_duration: float = 120.0
    maximum_dead_containers_per_container: int = 1
    maximum_dead_containers: int = -1
    datastore_endpoint: str = field(default="", repr=False)
    datastore_cafile: str = ""
    datastore_certfile: str = ""
    datastore_keyfile: str = ""
    etcd_listen_client_urls: str = "http://127.0.0.1:2379"
    listen_client_urls: str = "http://127.0.0.1:2379"
    advertise_client_urls: str = ""
    listen_metrics_urls: str = ""
    name: str = "default"
    cert_file: str = ""
    key_file: str = ""
    trusted_ca_file: str = ""
    auto_compaction_mode: str = "periodic"
    auto_compaction_retention: str = "0"
    quota_backend_bytes: int = 0
    prefix_quota: tuple[str, ...] = ()
    max_txn_ops: int = 128
    max_request_bytes: int = 1_572_864
    max_concurrent_streams: int = 4_096
    watch_progress_notify_interval: float = 600.0
    cors: tuple[str, ...] = ()
    host_whitelist: tuple[str, ...] = ()
    client_cert_auth: bool = False
    auth_token: str = "simple"  # noqa: S105 - a kind of token, not one
    auth_token_ttl: int = 300
    log_format: str = "text"
    log_level: str = "info"
    origins: Mapping[str, str] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        """The data directory."""
        return Path(self.data_dir)

    @property
    def dns_address(self) -> str:
        """Where pods ask for names."""
        return self.cluster_dns or str(ipaddress.ip_network(self.service_cidr)[10])

    def faults(self) -> list[Problem]:
        """Every value that can't be used, with the remedy."""
        found: list[Problem] = []
        for key, text in (("cluster-cidr", self.cluster_cidr), ("service-cidr", self.service_cidr)):
            if _network(text) is None:
                found.append(self._problem(key, text, "must be a network such as 10.42.0.0/16"))
        for key, port in (
            ("https-listen-port", self.https_listen_port),
            ("kubelet-port", self.kubelet_port),
        ):
            if not 0 <= port <= _MAX_PORT:
                found.append(self._problem(key, str(port), "must be between 0 and 65535"))
        for key, text in (
            ("node-ip", self.node_ip),
            ("advertise-address", self.advertise_address),
            ("bind-address", self.bind_address),
        ):
            if text and not _is_address(text):
                found.append(self._problem(key, text, "must be an IP address"))
        found += self._toleration_faults() + self._dns_faults() + self._upkeep_faults()
        found += self._url_faults() + self._datastore_faults() + self._store_faults()
        try:
            int(self.write_kubeconfig_mode, 8)
        except ValueError:
            mode = self.write_kubeconfig_mode
            found.append(self._problem("write-kubeconfig-mode", mode, "must be octal, as 0600"))
        return found

    def _upkeep_faults(self) -> list[Problem]:
        low, high = self.image_gc_low_threshold, self.image_gc_high_threshold
        if not 0 <= low < high <= 100:
            remedy = "must be between image-gc-low-threshold and 100"
            return [self._problem("image-gc-high-threshold", str(high), remedy)]
        return []

    def _toleration_faults(self) -> list[Problem]:
        found = []
        not_ready = self.default_not_ready_toleration_seconds
        if not_ready < 0:
            key = "default-not-ready-toleration-seconds"
            found.append(self._problem(key, str(not_ready), "must be 0 or more"))
        unreachable = self.default_unreachable_toleration_seconds
        if unreachable < _CHOOSE:
            key = "default-unreachable-toleration-seconds"
            found.append(self._problem(key, str(unreachable), "must be 0 or more"))
        return found

    @property
    def unreachable_toleration_s(self) -> int:
        """How long pods stay on a silent node: as told, or what fits (docs/adr, 23)."""
        if self.default_unreachable_toleration_seconds != _CHOOSE:
            return self.default_unreachable_toleration_seconds
        return _UPSTREAM_S if self.disable_controller_manager else _UNREACHABLE_S

    def _dns_faults(self) -> list[Problem]:
        found = []
        for key, texts, read in (
            ("dns-upstream", self.dns_upstream, parse_server),
            ("dns-stub", self.dns_stub, parse_stub),
        ):
            for text in texts:
                try:
                    _ = read(text)
                except ValueError as wrong:
                    found.append(self._problem(key, text, str(wrong)))
        services = _network(self.service_cidr)
        if services is None or not self.cluster_dns:
            return found
        if not _is_address(self.cluster_dns) or (
            ipaddress.ip_address(self.cluster_dns) not in services
        ):
            remedy = f"must be an address in service-cidr {self.service_cidr}"
            found.append(self._problem("cluster-dns", self.cluster_dns, remedy))
        return found

    def _url_faults(self) -> list[Problem]:
        found: list[Problem] = []
        for key, text in (
            ("etcd-listen-client-urls", self.etcd_listen_client_urls),
            ("listen-client-urls", self.listen_client_urls),
            ("advertise-client-urls", self.advertise_client_urls),
            ("listen-metrics-urls", self.listen_metrics_urls),
        ):
            try:
                urls = listen_urls(text)
            except ValueError as wrong:
                found.append(self._problem(key, text, str(wrong)))
                continue
            if any(url.scheme == "https" for url in urls) and key in _HTTPS_REMEDY:
                if key in _WITH_CERT_FILE and self.cert_file and self.key_file:
                    continue
                found.append(self._problem(key, text, _HTTPS_REMEDY[key]))
        if self.auth_token.partition(",")[0] not in {"simple", "jwt"}:
            remedy = "must be simple, or jwt,sign-method=…,pub-key=…,priv-key=…"
            found.append(self._problem("auth-token", self.auth_token, remedy))
        if self.role == "store" and not self.listen_client_urls:
            remedy = "must name an address such as http://127.0.0.1:2379"
            found.append(self._problem("listen-client-urls", "", remedy))
        return found

    def _store_faults(self) -> list[Problem]:
        found: list[Problem] = []
        for key, number, least in (
            ("max-txn-ops", self.max_txn_ops, 1),
            ("max-request-bytes", self.max_request_bytes, 1),
            ("max-concurrent-streams", self.max_concurrent_streams, 1),
            ("watch-progress-notify-interval", self.watch_progress_notify_interval, 0.1),
        ):
            if number < least:
                found.append(self._problem(key, f"{number:g}", f"must be {least:g} or more"))
        try:
            _ = self.auto_compaction
        except ValueError as wrong:
            key = "auto-compaction-retention"
            found.append(self._problem(key, self.auto_compaction_retention, str(wrong)))
        try:
            _ = self.prefix_quotas
        except ValueError as wrong:
            found.append(self._problem("prefix-quota", ",".join(self.prefix_quota), str(wrong)))
        return found

    @property
    def prefix_quotas(self) -> dict[str, int]:
        """Bytes that may lie under each prefix."""
        return prefix_quotas(self.prefix_quota)

    @property
    def auto_compaction(self) -> AutoCompaction:
        """What `appliance store` compacts by itself."""
        return auto_compaction(self.auto_compaction_mode, self.auto_compaction_retention)

    def _datastore_faults(self) -> list[Problem]:
        try:
            endpoint = parse_endpoint(self.datastore_endpoint)
        except ValueError as wrong:
            shown = self.datastore_endpoint.rpartition("@")[2]  # what stands before is secret
            return [self._problem("datastore-endpoint", shown, str(wrong))]
        if bool(self.datastore_certfile) != bool(self.datastore_keyfile):
            remedy = "datastore-certfile and datastore-keyfile go together"
            return [self._problem("datastore-certfile", self.datastore_certfile, remedy)]
        if self.datastore_cafile and isinstance(endpoint, EtcdUrls) and not endpoint.tls:
            remedy = "a CA is of use with https:// endpoints"
            return [self._problem("datastore-cafile", self.datastore_cafile, remedy)]
        return []

    def _problem(self, key: str, value: str, remedy: str) -> Problem:
        return Problem(key, value, self.origins.get(key, "default"), remedy)


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        return None


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
