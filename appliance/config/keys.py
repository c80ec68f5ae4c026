"""Every configuration key, once: flags, the YAML file and the environment come from this table.

Flags are named as k3s names them where the meaning is the same.
"""

from appliance.config.key import Key, Role
from appliance.config.nodekeys import NODE_KEYS
from appliance.config.storekeys import STORE_KEYS

_SERVER: tuple[Role, ...] = ("server",)
_AGENT: tuple[Role, ...] = ("agent",)
_ALL: tuple[Role, ...] = ("server", "agent", "store")

KEYS: tuple[Key, ...] = (
    Key(
        name="data-dir",
        kind="text",
        default="/var/lib/appliance",
        help="Folder for all state.",
        roles=_ALL,
    ),
    Key(name="token", kind="text", default="", help="Secret that joins nodes; see token-file."),
    Key(name="token-file", kind="text", default="", help="File that holds the token."),
    Key(
        name="bind-address",
        kind="text",
        default="0.0.0.0",  # noqa: S104 - a cluster serves its nodes; everything is TLS
        help="Address the API server listens on.",
        roles=_SERVER,
    ),
    Key(
        name="https-listen-port",
        kind="int",
        default=6443,
        help="Port of the API server; 0 takes a free one.",
        roles=_SERVER,
    ),
    Key(
        name="advertise-address",
        kind="text",
        default="",
        help="Address under which nodes and pods reach the API server (default: node-ip).",
        roles=_SERVER,
    ),
    Key(
        name="cluster-cidr",
        kind="text",
        default="10.42.0.0/16",
        help="Addresses of pods.",
    ),
    Key(
        name="service-cidr",
        kind="text",
        default="10.43.0.0/16",
        help="Addresses of services.",
    ),
    Key(
        name="cluster-dns",
        kind="text",
        default="",
        help="Address of the DNS service (default: the tenth of service-cidr, 10.43.0.10).",
    ),
    Key(
        name="cluster-domain",
        kind="text",
        default="cluster.local",
        help="Domain under which services have names.",
    ),
    Key(
        name="dns-upstream",
        kind="list",
        default=(),
        help="Servers that cluster DNS asks for other names (default: the host's resolv.conf).",
    ),
    Key(
        name="dns-stub",
        kind="list",
        default=(),
        help="Domains with servers of their own: corp.example=192.0.2.1+192.0.2.2.",
    ),
    Key(
        name="tls-san",
        kind="list",
        default=(),
        help="Further names and addresses for the API server's certificate.",
        roles=_SERVER,
    ),
    Key(
        name="write-kubeconfig",
        kind="text",
        default="",
        help="Also write the admin kubeconfig here.",
        roles=_SERVER,
    ),
    Key(
        name="write-kubeconfig-mode",
        kind="text",
        default="0600",
        help="Mode of that file, octal.",
        roles=_SERVER,
    ),
    Key(
        name="token-auth-file",
        kind="text",
        default="",
        help='File of static API tokens, one a line: token,user,uid,"group1,group2".',
        roles=_SERVER,
    ),
    Key(
        name="audit-log-path",
        kind="text",
        default="",
        help="File that says who asked the API for what; empty: none.",
        roles=_SERVER,
    ),
    Key(
        name="audit-policy-file",
        kind="text",
        default="",
        help="Which requests it says (audit.k8s.io/v1 Policy); by default most.",
        roles=_SERVER,
    ),
    Key(
        name="ingress",
        kind="text",
        default="off",
        help="What serves ingresses on this host: off, haproxy.",
        choices=("off", "haproxy"),
        roles=_SERVER,
    ),
    Key(
        name="ingress-http-port",
        kind="int",
        default=80,
        help="Port of the ingress.",
        roles=_SERVER,
    ),
    Key(
        name="ingress-https-port",
        kind="int",
        default=443,
        help="Port of the ingress with TLS.",
        roles=_SERVER,
    ),
    Key(
        name="history-retention",
        kind="seconds",
        default=86_400.0,
        help="How long the store keeps what was, for history, undelete and rewind; 0s: not.",
        roles=_SERVER,
    ),
    Key(
        name="disable",
        kind="list",
        default=(),
        help="Leave out a part: dns, local-storage, network-policy, proxy.",
        choices=("dns", "local-storage", "network-policy", "proxy"),
    ),
    Key(
        name="default-local-storage-path",
        kind="text",
        default="",
        help="Folder for the volumes of the class local-path (default: storage in the data-dir).",
    ),
    Key(
        name="disable-agent",
        kind="bool",
        default=False,
        help="Run no node agent beside the server.",
        roles=_SERVER,
    ),
    Key(
        name="disable-scheduler",
        kind="bool",
        default=False,
        help="Run no scheduler.",
        roles=_SERVER,
    ),
    Key(
        name="scheduler-config",
        kind="text",
        default="",
        help="File with profiles of the scheduler (KubeSchedulerConfiguration).",
        roles=_SERVER,
    ),
    Key(
        name="disable-controller-manager",
        kind="bool",
        default=False,
        help="Run no controllers.",
        roles=_SERVER,
    ),
    Key(
        name="default-not-ready-toleration-seconds",
        kind="int",
        default=300,
        help="How long pods stay on a node that says it is not ready, unless they say otherwise.",
        roles=_SERVER,
    ),
    Key(
        name="default-unreachable-toleration-seconds",
        kind="int",
        default=-1,
        help="How long pods stay on a node silent for 40 s, unless they say otherwise "
        "(default: 5; 300 with --disable-controller-manager).",
        roles=_SERVER,
    ),
    Key(name="server", kind="text", default="", help="URL of the server to join.", roles=_AGENT),
    Key(name="node-name", kind="text", default="", help="Name of this node (default: host name)."),
    Key(name="node-ip", kind="text", default="", help="Address of this node (default: found)."),
    Key(name="node-label", kind="list", default=(), help="Label for this node, key=value."),
    Key(name="node-taint", kind="list", default=(), help="Taint, key=value:effect."),
    Key(
        name="kubelet-port",
        kind="int",
        default=10250,
        help="Port of the node's own HTTPS API; 0 takes a free one.",
    ),
    Key(
        name="runtime",
        kind="text",
        default="auto",
        help="Container engine.",
        choices=("auto", "docker", "podman"),
    ),
    Key(
        name="runtime-endpoint",
        kind="text",
        default="",
        help="Address of the engine, such as unix:///run/docker.sock (default: found).",
    ),
    Key(
        name="proxy-mode",
        kind="text",
        default="auto",
        help="How services are made to work.",
        choices=("auto", "nftables", "userspace"),
    ),
    Key(name="manifest-path", kind="text", default="", help="File or folder with pod manifests."),
    Key(
        name="file-check-frequency",
        kind="seconds",
        default=20.0,
        help="How often manifest-path is read again, such as 20s.",
    ),
    Key(name="manifest-url", kind="text", default="", help="URL of pod manifests."),
    Key(
        name="http-check-frequency",
        kind="seconds",
        default=20.0,
        help="How often manifest-url is asked, such as 20s.",
    ),
    Key(
        name="manifest-etcd",
        kind="list",
        default=(),
        help="Endpoint of an etcd with pod manifests at /registry/hosts/<host>/kubelet.",
    ),
    Key(
        name="sync-frequency",
        kind="seconds",
        default=60.0,
        help="How often every pod is looked at even if nothing was heard of it.",
    ),
    Key(
        name="datastore-endpoint",
        kind="text",
        default="",
        help="Where state is kept (default: a file under data-dir). Several servers may share"
        " postgresql+psycopg://user@host/database or https://etcd1:2379,https://etcd2:2379.",
        roles=("server", "store"),
    ),
    Key(
        name="datastore-cafile",
        kind="text",
        default="",
        help="CA of the datastore's certificate.",
        roles=("server", "store"),
    ),
    Key(
        name="datastore-certfile",
        kind="text",
        default="",
        help="Our certificate for the datastore.",
        roles=("server", "store"),
    ),
    Key(
        name="datastore-keyfile",
        kind="text",
        default="",
        help="Its key.",
        roles=("server", "store"),
    ),
    Key(
        name="etcd-listen-client-urls",
        kind="text",
        default="http://127.0.0.1:2379",
        help="Where etcd clients reach the store; empty turns it off. Give it to insist on it.",
        roles=_SERVER,
    ),
    *NODE_KEYS,
    *STORE_KEYS,
    Key(
        name="log-format",
        kind="text",
        default="text",
        help="Log lines.",
        roles=_ALL,
        choices=("text", "json"),
    ),
    Key(
        name="log-level",
        kind="text",
        default="info",
        help="Least level that is logged.",
        roles=_ALL,
        choices=("debug", "info", "warning", "error"),
    ),
)

BY_NAME = {key.name: key for key in KEYS}


def keys_of(role: Role) -> tuple[Key, ...]:
    """The keys that a verb takes."""
    return tuple(key for key in KEYS if role in key.roles)
