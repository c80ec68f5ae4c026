"""Joining as both halves do it, over real TLS on loopback."""

from pathlib import Path

import pytest
from cryptography import x509

from appliance.api import jointoken
from appliance.api.kinds.core.node import NODE, Node
from appliance.api.kinds.core.secret import SECRET
from appliance.api.meta import ObjectMeta
from appliance.assembly.joining import Joined, join, master_url
from appliance.client.joining import (
    ExpiredToken,
    JoinFault,
    MasterUnreachable,
    WrongCa,
    WrongToken,
)
from appliance.config.schema import Config
from tests.unit.assembly.master import BEARER, CLOCK, Master


def certificate(config: Config, name: str) -> x509.Certificate:
    pem = (config.data / "agent" / "tls" / name).read_bytes()
    return x509.load_pem_x509_certificate(pem)


async def test_a_host_with_a_token_gets_certificates_and_the_facts(master: Master) -> None:
    config = await master.join(master.token())
    assert (config.cluster_cidr, config.service_cidr) == ("10.1.0.0/16", "10.2.0.0/16")
    assert (config.dns_address, config.cluster_domain) == ("10.2.0.10", "example.test")
    client = certificate(config, "client.crt").subject.rfc4514_string()
    assert client == "CN=system:node:pi-2,O=system:nodes"
    found = certificate(config, "serving.crt").extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert {str(name.value) for name in found.value} == {"pi-2", "192.0.2.2"}
    key = config.data / "agent" / "tls" / "client.key"
    assert key.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("form", ["word", "K10{hash}::word", "K10{hash}::server:word"])
async def test_the_clusters_own_token_joins_in_every_form(master: Master, form: str) -> None:
    text = form.format(hash=jointoken.ca_hash(master.ca_pem))
    assert (await master.join(text)).node_name == "pi-2"


async def test_a_second_start_asks_nobody(master: Master) -> None:
    await master.join(master.token())
    assert (await join(master.host, CLOCK)).cluster_domain == "example.test"


async def test_a_changed_address_is_certified_by_the_nodes_own_certificate(master: Master) -> None:
    await master.join(master.token())
    again = await master.join("", node_ip="192.0.2.3")
    found = certificate(again, "serving.crt").extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert "192.0.2.3" in {str(name.value) for name in found.value}


@pytest.mark.parametrize("bearer", ["k3x9ab.ffffffffffffffff", "zzzzzz.0123456789abcdef", "wrong"])
async def test_a_token_nobody_knows(master: Master, bearer: str) -> None:
    with pytest.raises(WrongToken, match="does not know the token"):
        await master.join(master.token(bearer))


async def test_a_deleted_token_is_refused_at_once(master: Master) -> None:
    await master.client.delete(SECRET, "bootstrap-token-k3x9ab", namespace="kube-system")
    with pytest.raises(WrongToken):
        await master.join(master.token())


async def test_an_expired_token_says_when(master: Master) -> None:
    await master.remember("old000.0123456789abcdef", 1_700_000_000.0)
    with pytest.raises(ExpiredToken, match="old000 expired at 2023-11-14T22:13:20Z"):
        await master.join(master.token("old000.0123456789abcdef"))
    with pytest.raises(WrongToken):  # who does not know its secret does not learn of its end
        await master.join(master.token("old000.ffffffffffffffff"))


async def test_another_ca_than_the_tokens(master: Master) -> None:
    token = jointoken.JoinToken("0" * 64, BEARER).text()
    with pytest.raises(WrongCa, match=r"the token says 000000000000…"):
        await master.join(token)
    assert not (master.host.data / "agent" / "joined.json").exists()


async def test_a_master_does_not_join_by_mistake(master: Master, tmp_path: Path) -> None:
    with pytest.raises(JoinFault, match="is a master's"):
        await master.join(master.token(), data_dir=str(tmp_path / "master"))


async def test_nobody_there(master: Master) -> None:
    with pytest.raises(MasterUnreachable, match=r"127\.0\.0\.1:1"):
        await master.join(master.token(), server="127.0.0.1:1")


async def test_guessing_is_slowed_down(master: Master) -> None:
    for _ in range(10):
        with pytest.raises(WrongToken):
            await master.join("wrong")
    with pytest.raises(JoinFault, match="too many wrong tokens"):
        await master.join(master.token())


async def test_a_name_that_is_there_goes_only_with_its_key(master: Master, tmp_path: Path) -> None:
    await master.join(master.token())
    await master.client.create(NODE, Node(metadata=ObjectMeta(name="pi-2")))
    thief = str(tmp_path / "thief")
    with pytest.raises(JoinFault, match="kubectl delete node pi-2"):
        await master.join(master.token(), data_dir=thief, node_ip="192.0.2.9")
    await master.client.delete(NODE, "pi-2")
    await master.join(master.token(), data_dir=thief, node_ip="192.0.2.9")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"node_name": "master"}, "master's or another node's"),
        ({"node_name": "kubernetes"}, "master's or another node's"),
        ({"node_ip": "192.0.2.1"}, "master's or another node's"),
        ({"node_ip": "127.0.0.2"}, "can't reach 127.0.0.2"),
        ({"node_ip": "10.2.0.1"}, "range for pods or services"),
        ({"node_name": "Pi_2"}, "can't be used"),
    ],
)
async def test_a_node_can_stand_in_for_nobody(
    master: Master, changes: dict[str, str], why: str
) -> None:
    with pytest.raises(JoinFault, match=why):
        await master.join(master.token(), **changes)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("pi-1", "https://pi-1:6443"),
        ("192.0.2.1:7443", "https://192.0.2.1:7443"),
        ("https://[::1]:7443/", "https://[::1]:7443"),
        ("https://pi-1", "https://pi-1:6443"),
    ],
)
def test_a_master_may_be_a_host_or_a_url(text: str, url: str) -> None:
    assert master_url(text) == url


@pytest.mark.parametrize("text", ["http://pi-1", "https://", "pi-1:many", "https://pi-1/path"])
def test_what_is_no_master(text: str) -> None:
    with pytest.raises(JoinFault, match="is no master"):
        master_url(text)


def test_what_is_kept_has_no_secret() -> None:
    assert not {"token", "bearer"} & set(Joined.__struct_fields__)
