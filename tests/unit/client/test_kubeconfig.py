"""Kubeconfig files, ours and others'."""

from pathlib import Path

import pytest

from appliance.client.kubeconfig import (
    Access,
    KubeconfigError,
    read_kubeconfig,
    write_kubeconfig,
)

ACCESS = Access(
    server="https://10.0.0.1:6443", ca_pem=b"CA", cert_pem=b"CERT", key_pem=b"KEY", token="t"
)


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    write_kubeconfig(tmp_path / "k", ACCESS)
    assert read_kubeconfig(tmp_path / "k") == ACCESS


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "k"
    path.write_text("old")
    path.chmod(0o644)
    write_kubeconfig(path, ACCESS)
    assert path.stat().st_mode & 0o777 == 0o600


def test_keys_and_tokens_are_not_shown_in_logs() -> None:
    assert "KEY" not in repr(ACCESS)


def test_files_of_others_may_name_files_beside_them(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_bytes(b"CA")
    (tmp_path / "token").write_text("abc\n")
    (tmp_path / "k").write_text(
        """
        current-context: b
        contexts:
        - {name: a, context: {cluster: x, user: x}}
        - {name: b, context: {cluster: y, user: y, namespace: shop}}
        clusters: [{name: y, cluster: {server: "https://h:1/", certificate-authority: ca.crt}}]
        users: [{name: y, user: {tokenFile: token}}]
        """
    )
    access = read_kubeconfig(tmp_path / "k")
    assert access == Access(server="https://h:1", ca_pem=b"CA", token="abc", namespace="shop")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a", "not a kubeconfig"),
        ("current-context: a", "no entry 'a' in contexts"),
        (
            "{current-context: a, contexts: [{name: a, context: {cluster: c, user: u}}]}",
            "no entry 'c' in clusters",
        ),
        (
            "{current-context: a, contexts: [{name: a, context: {cluster: c, user: u}}],"
            " clusters: [{name: c, cluster: {server: s, certificate-authority-data: '!'}}],"
            " users: [{name: u, user: {}}]}",
            "certificate-authority-data is not base64",
        ),
        ("a: [", "while parsing"),
    ],
)
def test_a_broken_file_is_refused_with_the_entry_that_is_wrong(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "k"
    path.write_text(text)
    with pytest.raises(KubeconfigError) as caught:
        read_kubeconfig(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
