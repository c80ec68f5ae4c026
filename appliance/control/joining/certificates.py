"""What a node may be called in its certificates, and the certificates. Pure.

A node's serving certificate comes from the same CA as the API server's, so a node must never get
a name or address of the API server, of a service, or of another node: it could stand in for them.
"""

import ipaddress
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from appliance.api import names
from appliance.api.errors import BadRequest
from appliance.api.joining import JoinRequest
from appliance.control.access.nodes import NODE_PREFIX, NODES
from appliance.kit.pki import KeyPair, Subject, read_csr, sign_public_key

_ADDRESSES_MAX = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorities:
    """The two CAs with their keys."""

    server: KeyPair = field(repr=False)
    client: KeyPair = field(repr=False)


def checked_key(request: JoinRequest) -> EllipticCurvePublicKey:
    """The node's key, once its request has been found to be sound.

    Raises:
        BadRequest: with what is wrong and how it must be.
    """
    # The name becomes the value of a label, which is shorter than a name may be.
    wrong = [*names.dns_subdomain(request.node_name), *names.label_value(request.node_name)]
    if wrong:
        raise BadRequest(f"node name {request.node_name!r} can't be used: {wrong[0]}")
    if not 1 <= len(request.addresses) <= _ADDRESSES_MAX:
        raise BadRequest(f"a node has 1 to {_ADDRESSES_MAX} addresses; give one with --node-ip")
    try:
        return read_csr(request.csr.encode())
    except ValueError as error:
        raise BadRequest(f"the certificate request can't be used: {error}") from error


def check_names(
    request: JoinRequest,
    *,
    reserved: AbstractSet[str],
    networks: Sequence[str],
) -> None:
    """Refuse what belongs to others: `reserved` names and addresses, and whole `networks`.

    Raises:
        BadRequest: with the name or address and why it can't be had.
    """
    for text in (request.node_name, *request.addresses):
        if text in reserved:
            raise BadRequest(f"{text} is the master's or another node's; choose another")
    for text in request.addresses:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            raise BadRequest(f"{text!r} is no IP address; set --node-ip") from None
        if address.is_loopback or address.is_unspecified or address.is_multicast:
            raise BadRequest(f"the other nodes can't reach {text}; set --node-ip")
        if any(address in ipaddress.ip_network(network) for network in networks):
            raise BadRequest(f"{text} is in a range for pods or services; set --node-ip")


def sign(
    request: JoinRequest, key: EllipticCurvePublicKey, authorities: Authorities, *, now: float
) -> tuple[bytes, bytes]:
    """The node's certificate as a client, and that of its own API."""
    user = f"{NODE_PREFIX}{request.node_name}"
    client = Subject(common_name=user, organizations=(NODES,), client=True)
    sans = (request.node_name, *request.addresses)
    serving = Subject(common_name=user, sans=sans, server=True)
    return (
        sign_public_key(authorities.client, key, client, now=now),
        sign_public_key(authorities.server, key, serving, now=now),
    )
