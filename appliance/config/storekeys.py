"""Keys of `appliance store`, named as etcd names its flags, and with its defaults."""

from appliance.config.key import Key, Role

STORE: tuple[Role, ...] = ("store",)

STORE_KEYS: tuple[Key, ...] = (
    Key(
        name="listen-client-urls",
        kind="text",
        default="http://127.0.0.1:2379",
        help="Where clients are served; several are separated by commas.",
        roles=STORE,
    ),
    Key(
        name="advertise-client-urls",
        kind="text",
        default="",
        help="Where clients are told to find us (default: listen-client-urls).",
        roles=STORE,
    ),
    Key(
        name="name",
        kind="text",
        default="default",
        help="Name of this member.",
        roles=STORE,
    ),
    Key(name="cert-file", kind="text", default="", help="Certificate for https.", roles=STORE),
    Key(name="key-file", kind="text", default="", help="Its key.", roles=STORE),
    Key(
        name="trusted-ca-file",
        kind="text",
        default="",
        help="Let in only clients with a certificate of this CA.",
        roles=STORE,
    ),
    Key(
        name="listen-metrics-urls",
        kind="text",
        default="",
        help="Further addresses for /metrics and /health alone, open to whoever reaches them.",
        roles=STORE,
    ),
    Key(
        name="auto-compaction-mode",
        kind="text",
        default="periodic",
        help="What auto-compaction-retention counts: time, or revisions (looked at every 5 min).",
        roles=STORE,
        choices=("periodic", "revision"),
    ),
    Key(
        name="auto-compaction-retention",
        kind="text",
        default="0",
        help="Compact what is older: hours (8), a time (30m), or so many revisions; 0: only when"
        " a client asks for it.",
        roles=STORE,
    ),
    Key(
        name="quota-backend-bytes",
        kind="int",
        default=0,
        help="Raise the NOSPACE alarm when the store is this large; 0 is 2 GiB, below 0 never.",
        roles=STORE,
    ),
    Key(
        name="prefix-quota",
        kind="list",
        default=(),
        help="PREFIX=SIZE, such as /registry/events/=32Mi: what would make the keys and values"
        " under PREFIX more is refused; see docs/store.md.",
        roles=("server", "store"),
    ),
    Key(
        name="max-txn-ops",
        kind="int",
        default=128,
        help="Operations that each list of a transaction may have.",
        roles=STORE,
    ),
    Key(
        name="max-request-bytes",
        kind="int",
        default=1_572_864,
        help="The largest request.",
        roles=STORE,
    ),
    Key(
        name="max-concurrent-streams",
        kind="int",
        default=4_096,
        help="Calls and watch streams that a connection may have open at once.",
        roles=STORE,
    ),
    Key(
        name="watch-progress-notify-interval",
        kind="seconds",
        default=600.0,
        help="How often an idle watch that asked for it is told the revision.",
        roles=STORE,
    ),
    Key(
        name="cors",
        kind="list",
        default=(),
        help="Web pages (origins) that may use the store from a browser; * for all.",
        roles=STORE,
    ),
    Key(
        name="host-whitelist",
        kind="list",
        default=(),
        help="Names by which plain HTTP may ask; empty or *: any.",
        roles=STORE,
    ),
    Key(
        name="client-cert-auth",
        kind="bool",
        default=False,
        help="Want a certificate of every client; its common name is the user it may be.",
        roles=STORE,
    ),
    Key(
        name="auth-token",
        kind="text",
        default="simple",
        help="How tokens are made: simple, or jwt,sign-method=RS256,pub-key=F,priv-key=F,ttl=5m.",
        roles=STORE,
    ),
    Key(
        name="auth-token-ttl",
        kind="int",
        default=300,
        help="Seconds that a simple token lasts after its last use.",
        roles=STORE,
    ),
)
