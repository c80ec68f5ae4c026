"""Who gets in, and who does not."""

import ssl
import urllib.error
import urllib.request

import pytest

from tests.lab.cluster import Cluster


def test_the_token_that_joins_hosts_opens_nothing_else(cluster: Cluster) -> None:
    token = (cluster.data / "server" / "token").read_text().strip()
    context = ssl.create_default_context(cafile=str(cluster.data / "server/tls/server-ca.crt"))
    url = f"https://127.0.0.1:{cluster.port}/api/v1/secrets"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, context=context, timeout=5)
    assert refused.value.code == 401
    refused.value.close()


def test_secrets_of_the_cluster_are_for_their_owner_only(cluster: Cluster) -> None:
    found = [p for p in cluster.data.rglob("*") if p.suffix in {".key", ".kubeconfig"}]
    found += [cluster.data / "server" / "token", cluster.data / "server" / "db" / "state.db"]
    assert {oct(p.stat().st_mode & 0o777) for p in found} == {"0o600"}
