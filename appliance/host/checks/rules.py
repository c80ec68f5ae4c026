"""What other firewalls have set: policies at the forward hook, tables of the old iptables.

Read through libnftables, which shows the rules of today's iptables as well; the old iptables is
asked by its own program, if its kernel part is loaded at all.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from appliance.kit import subproc
from appliance.kit.nftables import Nft, NftError

_OLD = "iptables-legacy"
_ASK_S = 5.0


async def drops(*, usable: bool) -> tuple[tuple[str, ...], bool]:
    """Chains at the forward hook that drop by policy, and whether Docker's chains are there."""
    names, docker = ((), False) if not usable else _of_nftables()
    try:
        old = (await subproc.run([_OLD, "-S", "FORWARD"], timeout_s=_ASK_S)).stdout.decode()
    except (OSError, TimeoutError):
        old = ""
    if "-P FORWARD DROP" in old:
        names = (*names, f"{_OLD} FORWARD")
    return names, docker or "DOCKER" in old


def legacy_tables(text: str | None) -> tuple[str, ...]:
    """What /proc/net/ip_tables_names says; the file is only there if the module is loaded."""
    return tuple((text or "").split())


def of_objects(objects: Iterable[Mapping[str, Any]]) -> tuple[tuple[str, ...], bool]:
    """The same from libnftables' list of chains."""
    chains = [found["chain"] for found in objects if "chain" in found]
    names = tuple(
        f"{chain['table']} {chain['name']}"
        for chain in chains
        if chain.get("hook") == "forward"
        and chain.get("policy") == "drop"
        and chain.get("type") == "filter"
    )
    return names, any(chain["name"].startswith("DOCKER") for chain in chains)


def _of_nftables() -> tuple[tuple[str, ...], bool]:
    try:
        with Nft() as nft:
            return of_objects(nft.run_json([{"list": {"chains": None}}]))
    except NftError:
        return (), False
