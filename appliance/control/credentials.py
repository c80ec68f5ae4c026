"""The cluster's certificates and secrets under `<data>/server` and `<data>/agent`.

Made at first start, kept ever after, made anew when they near their end or when the addresses
they must name have changed. Layout:

    server/tls/{server-ca,client-ca}.{crt,key}   authorities for servers and for clients
    server/tls/serving.{crt,key}                 the API server
    server/tls/admin.{crt,key}                   system:masters, for the admin kubeconfig
    server/tls/kubelet-client.{crt,key}          the API server, when it calls a node
    server/tls/request-header-ca.{crt,key}       authority for the next
    server/tls/front-proxy.{crt,key}             the API server, towards aggregated ones
    server/tls/service-account.key               signs service-account tokens
    server/tls/encryption.keys                   seals Secrets in the database
    server/token                                 joins nodes, and opens nothing else
    agent/tls/{client,serving}.{crt,key}         the node: as client, and its own HTTPS API
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509

from appliance.control.aggregation.trust import FRONT_PROXY
from appliance.control.joining.certificates import Authorities
from appliance.kit.atomicfile import write_atomic
from appliance.kit.keyring import Ring, new_key, read_keys, write_keys
from appliance.kit.pki import KeyPair, Subject, issue, new_ca, new_key_pem

_RENEW_BEFORE = timedelta(days=90)
_PUBLIC_MODE = 0o644
_AUTHORITIES = (
    *("server-ca.crt", "server-ca.key", "client-ca.crt", "client-ca.key"),
    *("request-header-ca.crt", "request-header-ca.key"),
    *("service-account.key", "encryption.keys"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What the certificates must name."""

    node_name: str
    node_ip: str
    api_names: tuple[str, ...]
    """DNS names and addresses of the API server."""


class Credentials:
    """Paths and contents of a cluster's credentials; see the module for the layout."""

    def __init__(self, data: Path) -> None:
        self.tls = data / "server" / "tls"
        self.agent_tls = data / "agent" / "tls"
        self.token_path = data / "server" / "token"
        self.encryption_keys = self.tls / "encryption.keys"

    def ensure_token(self, given: str = "") -> None:
        """Keep the token that was given; draw one if there is none."""
        if given or not self.token_path.exists():
            write_atomic(self.token_path, (given or secrets.token_hex(24)).encode() + b"\n")

    def ensure_authorities(self, now: float) -> None:
        """Make what all masters of a cluster have in common, where it is missing."""
        for name in ("server-ca", "client-ca", "request-header-ca"):
            self._ca(name, now)
        key_path = self.tls / "service-account.key"
        if not key_path.exists():
            write_atomic(key_path, new_key_pem())
        if not self.encryption_keys.exists():
            write_atomic(self.encryption_keys, write_keys([new_key("key-1")]))
        self.ensure_token()

    def authority_files(self) -> dict[str, bytes]:
        """What all masters have in common, as far as it is here."""
        found = {name: self.tls / name for name in _AUTHORITIES}
        return {name: path.read_bytes() for name, path in found.items() if path.exists()}

    def write_authority_files(self, files: Mapping[str, bytes]) -> None:
        """Take over what another master has made; names that we don't know are left out."""
        for name in _AUTHORITIES:
            if name in files:
                mode = _PUBLIC_MODE if name.endswith(".crt") else 0o600
                write_atomic(self.tls / name, files[name], mode=mode)

    def ensure(self, names: Names, *, now: float, token: str = "") -> None:
        """Make what is missing, near its end, or names the wrong addresses."""
        self.ensure_token(token)
        self.ensure_authorities(now)
        server_ca = self._ca("server-ca", now)
        client_ca = self._ca("client-ca", now)
        self._leaf(
            self.tls / "serving",
            server_ca,
            Subject(common_name="kube-apiserver", sans=names.api_names, server=True),
            now,
        )
        masters = ("system:masters",)
        self._leaf(
            self.tls / "admin",
            client_ca,
            Subject(common_name="system:admin", organizations=masters, client=True),
            now,
        )
        self._leaf(
            self.tls / "kubelet-client",
            client_ca,
            Subject(common_name="kube-apiserver", organizations=masters, client=True),
            now,
        )
        self._leaf(
            self.tls / "front-proxy",
            self._ca("request-header-ca", now),
            Subject(common_name=FRONT_PROXY, client=True),
            now,
        )
        user = f"system:node:{names.node_name}"
        self._leaf(
            self.agent_tls / "client",
            client_ca,
            Subject(common_name=user, organizations=("system:nodes",), client=True),
            now,
        )
        sans = (names.node_name, names.node_ip, "127.0.0.1", "localhost")
        self._leaf(
            self.agent_tls / "serving",
            server_ca,
            Subject(common_name=user, sans=_unique(sans), server=True),
            now,
        )
        for ca in ("server-ca", "client-ca"):
            _copy(self.tls / f"{ca}.crt", self.agent_tls / f"{ca}.crt")

    def token_or_none(self) -> str | None:
        """The cluster's token, if this host has one."""
        return self.token() if self.token_path.exists() else None

    def token(self) -> str:
        """The cluster's token."""
        return self.token_path.read_text().strip()

    def service_account_key(self) -> bytes:
        """The key that signs tokens of service accounts."""
        return (self.tls / "service-account.key").read_bytes()

    def ring(self) -> Ring:
        """The keys that Secrets are sealed with in the database.

        Raises:
            ValueError: the file was edited and is broken.
        """
        path = self.encryption_keys
        try:
            return Ring(read_keys(path.read_text()))
        except ValueError as error:
            raise ValueError(f"{path}: {error}; put back the file from a backup") from error

    def authorities(self) -> Authorities:
        """The CAs with their keys, for nodes that join."""
        server, client = (self.tls / name for name in ("server-ca", "client-ca"))
        found = _load(server), _load(client)
        if found[0] is None or found[1] is None:
            raise FileNotFoundError(f"there is no CA under {self.tls}; call `ensure` first")
        return Authorities(server=found[0], client=found[1])

    def _ca(self, name: str, now: float) -> KeyPair:
        if found := _load(self.tls / name):
            return found
        made = new_ca(f"appliance-{name}", now=now)
        _store(self.tls / name, made)
        return made

    def _leaf(self, base: Path, ca: KeyPair, subject: Subject, now: float) -> None:
        found = _load(base)
        if found is None or not _fits(found, ca, subject, now):
            _store(base, issue(ca, subject, now=now))


def _unique(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(n for n in names if n))


def _load(base: Path) -> KeyPair | None:
    cert, key = base.with_suffix(".crt"), base.with_suffix(".key")
    if not (cert.exists() and key.exists()):
        return None
    return KeyPair(cert.read_bytes(), key.read_bytes())


def _store(base: Path, pair: KeyPair) -> None:
    write_atomic(base.with_suffix(".key"), pair.key_pem)
    write_atomic(base.with_suffix(".crt"), pair.cert_pem, mode=_PUBLIC_MODE)


def _copy(source: Path, target: Path) -> None:
    data = source.read_bytes()
    if not target.exists() or target.read_bytes() != data:
        write_atomic(target, data, mode=_PUBLIC_MODE)


def _fits(pair: KeyPair, ca: KeyPair, subject: Subject, now: float) -> bool:
    cert = x509.load_pem_x509_certificate(pair.cert_pem)
    if cert.not_valid_after_utc - _RENEW_BEFORE < datetime.fromtimestamp(now, UTC):
        return False
    if cert.issuer != x509.load_pem_x509_certificate(ca.cert_pem).subject:
        return False
    common_name = cert.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value
    return common_name == subject.common_name and set(subject.sans) <= _names_in(cert)


def _names_in(cert: x509.Certificate) -> set[str]:
    try:
        found = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return {str(n.value) for n in found}
