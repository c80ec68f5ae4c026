"""Make this host a node of a cluster: certificates and facts, kept under `<data>/agent`.

Called by the verbs `join` and `agent` before the agent runs. What was learnt is kept in
`joined.json` beside the certificates, so later starts need neither token nor master; certificates
are asked for anew when they near their end or when the node's name or address has changed, then
with the node's own certificate in place of a token.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from cryptography import x509

from appliance.api.joining import JoinAnswer, JoinRequest
from appliance.api.jointoken import JoinToken, ca_hash, parse
from appliance.client.joining import (
    JoinFault,
    MasterUnreachable,
    Proof,
    fetch_ca,
    request_certificates,
)
from appliance.config.schema import Config
from appliance.host.address import LOOPBACK, host_address, host_name
from appliance.kit.atomicfile import write_atomic
from appliance.kit.clock import Clock
from appliance.kit.pki import new_csr_pem, new_key_pem

DEFAULT_PORT = 6443
_RETRY_S = 0.5  # no event says that a master far away has come up
_RENEW_BEFORE = timedelta(days=120)
_PUBLIC_MODE = 0o644
_FILES = (
    "client.key",
    "serving.key",
    "client.crt",
    "serving.crt",
    "server-ca.crt",
    "client-ca.crt",
)


class Joined(msgspec.Struct, rename="camel", kw_only=True):
    """What is kept of a join."""

    server: str
    node_name: str
    node_ip: str
    cluster_cidr: str
    service_cidr: str
    cluster_dns: str
    cluster_domain: str


def master_url(text: str) -> str:
    """The URL of a master given as host, host:port or URL.

    Raises:
        JoinFault: it is none of these.
    """
    given = urlsplit(text if "://" in text else f"https://{text}")
    try:
        port = given.port or DEFAULT_PORT
    except ValueError:
        port = 0
    if given.scheme != "https" or not given.hostname or not port or given.path.strip("/"):
        raise JoinFault(f"{text!r} is no master: give a host, host:port or https://host:port")
    host = f"[{given.hostname}]" if ":" in given.hostname else given.hostname
    return f"https://{host}:{port}"


async def join(config: Config, clock: Clock, *, wait_s: float = 0.0) -> Config:
    """Join, or find that it has been done; returns the configuration of the agent.

    Tries for `wait_s` while the master can't be reached.

    Raises:
        JoinFault: it can't join; the class says why.
    """
    if (config.data / "server" / "tls").exists():
        raise JoinFault(f"{config.data_dir} is a master's: give this node another --data-dir")
    url = master_url(config.server)
    token = _token(config)
    tls = config.data / "agent" / "tls"
    kept = read_joined(config.data)
    wanted = _wanted(config, url, kept)
    if kept is not None and _still_good(kept, wanted, tls, token, now=clock.wall()):
        return _configured(config, kept)
    end = clock.monotonic() + wait_s
    while True:
        try:
            answer = await _ask(wanted, tls, token, now=clock.wall())
        except MasterUnreachable:
            if clock.monotonic() >= end:
                raise
            await clock.sleep(_RETRY_S)
        else:
            return _configured(config, _keep(config.data, wanted, answer))


def _token(config: Config) -> JoinToken | None:
    text = config.token
    if config.token_file:
        try:
            text = Path(config.token_file).read_text().strip()
        except OSError as error:
            raise JoinFault(f"the token can't be read: {error}") from error
    try:
        return parse(text) if text else None
    except ValueError as error:
        raise JoinFault(str(error)) from error


class _Wanted(msgspec.Struct, frozen=True):
    """Which node of which master this host should be."""

    server: str
    node_name: str
    node_ip: str


def _wanted(config: Config, url: str, kept: Joined | None) -> _Wanted:
    found = config.node_ip or host_address(urlsplit(url).hostname or "")
    if found == LOOPBACK and not config.node_ip and kept is not None:
        found = kept.node_ip  # started before the network: what was so will be so again
    return _Wanted(url, config.node_name or host_name(), found)


def _still_good(
    kept: Joined, wanted: _Wanted, tls: Path, token: JoinToken | None, *, now: float
) -> bool:
    if (kept.server, kept.node_name, kept.node_ip) != (
        wanted.server,
        wanted.node_name,
        wanted.node_ip,
    ):
        return False
    if not all((tls / name).exists() for name in _FILES):
        return False
    if token is not None and token.ca_hash:
        known = ca_hash((tls / "server-ca.crt").read_bytes())
        if known != token.ca_hash:
            return False  # the token is another cluster's: move there
    ends = min(_ends(tls / "client.crt"), _ends(tls / "serving.crt"))
    return ends - _RENEW_BEFORE > datetime.fromtimestamp(now, UTC)


def _ends(path: Path) -> datetime:
    return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc


async def _ask(wanted: _Wanted, tls: Path, token: JoinToken | None, *, now: float) -> JoinAnswer:
    key_path = tls / "client.key"
    if not key_path.exists():
        write_atomic(key_path, new_key_pem())
    key_pem = key_path.read_bytes()
    proof, ca_pem = Proof(), b""
    if token is None:
        proof = _own_proof(tls, key_pem, now=now)
        ca_pem = (tls / "server-ca.crt").read_bytes()
    else:
        proof = Proof(bearer=token.bearer)
        ca_pem = await fetch_ca(wanted.server, token.ca_hash)
    request = JoinRequest(
        node_name=wanted.node_name,
        addresses=[wanted.node_ip],
        csr=new_csr_pem(key_pem, f"system:node:{wanted.node_name}").decode(),
    )
    return await request_certificates(wanted.server, ca_pem, request, proof)


def _own_proof(tls: Path, key_pem: bytes, *, now: float) -> Proof:
    path = tls / "client.crt"
    if not (path.exists() and (tls / "server-ca.crt").exists()) or _ends(
        path
    ) <= datetime.fromtimestamp(now, UTC):
        raise JoinFault(
            "a token is needed to join: run `appliance token create` on the master and give its "
            "output with --token"
        )
    return Proof(cert_pem=path.read_bytes(), key_pem=key_pem)


def _keep(data: Path, wanted: _Wanted, answer: JoinAnswer) -> Joined:
    """Write everything; `joined.json` last, so that half a join counts as none."""
    tls = data / "agent" / "tls"
    write_atomic(tls / "serving.key", (tls / "client.key").read_bytes())
    for name, pem in (
        ("client.crt", answer.client_cert),
        ("serving.crt", answer.serving_cert),
        ("server-ca.crt", answer.server_ca),
        ("client-ca.crt", answer.client_ca),
    ):
        write_atomic(tls / name, pem.encode(), mode=_PUBLIC_MODE)
    made = Joined(
        server=wanted.server,
        node_name=wanted.node_name,
        node_ip=wanted.node_ip,
        cluster_cidr=answer.cluster_cidr,
        service_cidr=answer.service_cidr,
        cluster_dns=answer.cluster_dns,
        cluster_domain=answer.cluster_domain,
    )
    write_atomic(data / "agent" / "joined.json", msgspec.json.encode(made), mode=_PUBLIC_MODE)
    return made


def read_joined(data: Path) -> Joined | None:
    """What is kept of the join under a data directory, None if there was none."""
    try:
        return msgspec.json.decode((data / "agent" / "joined.json").read_bytes(), type=Joined)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def _configured(config: Config, kept: Joined) -> Config:
    """The configuration in which the cluster's facts are the master's word."""
    return replace(
        config,
        server=kept.server,
        node_name=kept.node_name,
        node_ip=kept.node_ip,
        cluster_cidr=kept.cluster_cidr,
        service_cidr=kept.service_cidr,
        cluster_dns=kept.cluster_dns,
        cluster_domain=kept.cluster_domain,
    )
