"""Command lines of a real etcd are understood."""

from appliance.cli.store import command


def test_flags_of_etcd_are_taken_with_and_without_values() -> None:
    argv = [
        "--name=one",
        "--data-dir=/srv/store",
        "--listen-client-urls=https://127.0.0.1:2379",
        "--cert-file=c.crt",
        "--key-file=c.key",
        "--client-cert-auth",
        "--trusted-ca-file=ca.crt",
        "--auth-token=jwt,sign-method=HS256,priv-key=secret",
        "--quota-backend-bytes=-1",
        "--initial-cluster=one=http://127.0.0.1:2380",
        "--listen-peer-urls",
        "http://127.0.0.1:2380",
        "--peer-client-cert-auth",
        "--enable-v2=true",
        "--auto-compaction-mode=periodic",
        "--auto-compaction-retention=1h",
        "--snapshot-count",
        "10000",
    ]
    given = command.make_context("store", argv).params
    assert given["name"] == "one"
    assert given["client_cert_auth"] is True
    assert given["quota_backend_bytes"] == "-1"
    assert given["auth_token"] == "jwt,sign-method=HS256,priv-key=secret"
    assert given["peer_client_cert_auth"] == "true"
