"""The API as a node reaches it: with its own certificate, on a master as anywhere."""

from pathlib import Path

from appliance.client.http import HttpClient
from appliance.client.kubeconfig import Access
from appliance.config.schema import Config


def node_tls(config: Config) -> Path:
    """Where a node keeps its certificates; `control/credentials.py` puts a master's own there.

    Said here again: with that module comes all of the cryptography library, 9 MB that an agent
    that has joined does without.
    """
    return config.data / "agent" / "tls"


def open_client(config: Config) -> HttpClient:
    """A client for the master of this node.

    Raises:
        OSError: this host has not joined; its certificates are not there.
    """
    tls = node_tls(config)
    access = Access(
        server=config.server or f"https://127.0.0.1:{config.https_listen_port}",
        ca_pem=(tls / "server-ca.crt").read_bytes(),
        cert_pem=(tls / "client.crt").read_bytes(),
        key_pem=(tls / "client.key").read_bytes(),
    )
    return HttpClient(access, agent="appliance-agent")
