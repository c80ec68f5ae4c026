"""What a node and its master say to one another while it joins: paths and bodies.

`client/joining.py` asks, `control/joining` answers. GET `CA_PATH` needs no credentials and gives
the CA's PEM; POST `CSR_PATH` takes a `JoinRequest` with a token as bearer, or with the node's own
certificate when it is to be renewed, and gives a `JoinAnswer`.
"""

import msgspec

CA_PATH = "/v1/join/ca"
CSR_PATH = "/v1/join/csr"

# Reasons of a refusal, as cause of the Status: programs go by these, people read the message.
UNKNOWN_TOKEN = "TokenUnknown"  # noqa: S105 - a word, not a secret
EXPIRED_TOKEN = "TokenExpired"  # noqa: S105 - a word, not a secret
NAME_TAKEN = "NodeNameTaken"


class JoinRequest(msgspec.Struct, rename="camel", kw_only=True):
    """Who wants to be a node; the key stays with it, `csr` (PEM) proves that it has one."""

    node_name: str
    addresses: list[str]
    csr: str


class JoinAnswer(msgspec.Struct, rename="camel", kw_only=True):
    """Certificates (PEM) for the node's key, and what it must know of the cluster."""

    client_cert: str
    serving_cert: str
    server_ca: str
    client_ca: str
    node_name: str
    cluster_cidr: str
    service_cidr: str
    cluster_dns: str
    cluster_domain: str
