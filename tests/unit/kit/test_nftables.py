"""libnftables in-process: whole rulesets or nothing, and errors that say why."""

import os
import secrets
from collections.abc import Iterator

import pytest

from appliance.kit.nftables import Nft, NftError, nft_usable

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
]


@pytest.fixture
def nft() -> Iterator[Nft]:
    if reason := nft_usable():
        pytest.skip(reason)
    with Nft() as opened:
        yield opened


@pytest.fixture
def table(nft: Nft) -> Iterator[str]:
    name = f"apltest_{secrets.token_hex(4)}"
    nft.run_text(f"add table inet {name}")
    yield name
    nft.run_text(f"delete table inet {name}")


def tables(nft: Nft) -> set[str]:
    return {t["table"]["name"] for t in nft.run_json([{"list": {"tables": None}}]) if "table" in t}


def test_a_ruleset_in_text_is_there_for_the_json_reader(nft: Nft, table: str) -> None:
    nft.run_text(f"add set inet {table} ports {{ type inet_service; elements = {{ 80, 443 }}; }}")

    found = nft.run_json([{"list": {"set": {"family": "inet", "table": table, "name": "ports"}}}])

    assert sorted(found[-1]["set"]["elem"]) == [80, 443]


def test_a_refused_ruleset_says_why_and_leaves_nothing(nft: Nft, table: str) -> None:
    with pytest.raises(NftError, match="No such file or directory"):
        nft.run_text(f"add chain inet {table} here\nadd rule inet {table} nowhere accept")

    assert "here" not in nft.run_text(f"list table inet {table}")


def test_json_commands_add_and_remove(nft: Nft, table: str) -> None:
    other = f"{table}_b"
    nft.run_json([{"add": {"table": {"family": "inet", "name": other}}}])
    assert other in tables(nft)

    nft.run_json([{"delete": {"table": {"family": "inet", "name": other}}}])
    assert other not in tables(nft)


def test_a_closed_context_refuses(nft: Nft) -> None:
    nft.close()
    with pytest.raises(NftError, match="closed"):
        nft.run_text("list tables")
