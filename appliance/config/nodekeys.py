"""Keys of the node's own upkeep: what it keeps free, what it throws away; named as kubelets' flags.

(With k3s they go behind `--kubelet-arg`.)
"""

from appliance.config.key import Key

NODE_KEYS: tuple[Key, ...] = (
    Key(
        name="private-registry",
        kind="text",
        default="/etc/appliance/registries.yaml",
        help="File of mirrors and logins of registries, as k3s has it.",
    ),
    Key(
        name="disable-default-registry-endpoint",
        kind="bool",
        default=False,
        help="Ask mirrors only, for registries that have them.",
    ),
    Key(
        name="eviction-hard",
        kind="text",
        default="memory.available<100Mi,nodefs.available<5%,nodefs.inodesFree<5%,imagefs.available<5%",
        help="Below these pods are put out at once; empty: never.",
    ),
    Key(
        name="eviction-soft",
        kind="text",
        default="",
        help="Below these, for their grace period, pods are put out.",
    ),
    Key(
        name="eviction-soft-grace-period",
        kind="text",
        default="",
        help="How long, such as memory.available=1m30s.",
    ),
    Key(
        name="eviction-max-pod-grace-period",
        kind="int",
        default=0,
        help="Seconds that pods get at most which are put out by eviction-soft.",
    ),
    Key(
        name="eviction-pressure-transition-period",
        kind="seconds",
        default=300.0,
        help="How long a pressure is shown after it was last seen.",
    ),
    Key(
        name="eviction-minimum-reclaim",
        kind="text",
        default="nodefs.available=10%,imagefs.available=10%",
        help="How far beyond a threshold has to be freed.",
    ),
    Key(
        name="kube-reserved",
        kind="text",
        default="",
        help="What of the host is Kubernetes' own, such as cpu=100m,memory=200Mi.",
    ),
    Key(
        name="system-reserved",
        kind="text",
        default="",
        help="What of the host is the system's, such as cpu=100m,memory=200Mi.",
    ),
    Key(
        name="image-gc-high-threshold",
        kind="int",
        default=85,
        help="Percent of the images' disk from which unused pulled images go.",
    ),
    Key(
        name="image-gc-low-threshold",
        kind="int",
        default=80,
        help="Percent down to which they go.",
    ),
    Key(
        name="minimum-image-ttl-duration",
        kind="seconds",
        default=120.0,
        help="How long an image stays at least.",
    ),
    Key(
        name="maximum-dead-containers-per-container",
        kind="int",
        default=1,
        help="How many dead predecessors of a container stay for their logs.",
    ),
    Key(
        name="maximum-dead-containers",
        kind="int",
        default=-1,
        help="How many dead containers of ended pods stay in all; -1: all.",
    ),
)
