"""A change costs what changed, and ends where loading anew would."""

import random
from dataclasses import replace

import pytest

from appliance.proxy.backends.nft_elements import MAPS, SETS, Elements, elements
from appliance.proxy.backends.nft_held import Held
from appliance.proxy.table import Endpoint, ServiceEntry, ServicePort, ServiceTable


def port(name: str, chance: random.Random) -> ServicePort:
    some = {Endpoint(f"10.42.0.{chance.randint(1, 6)}", 80) for _ in range(chance.randint(0, 3))}
    ends = tuple(sorted(some))
    number = int(name)
    return ServicePort(
        namespace="d",
        name=name,
        port_name="",
        protocol=chance.choice(["tcp", "udp"]),
        cluster_ip=f"10.43.0.{number}",
        port=80,
        node_port=chance.choice([0, 30000 + number]),
        external_ips=chance.choice([(), ("192.0.2.1",)]),  # which two may claim
        endpoints=ends,
        local_endpoints=ends[:1],
        affinity_s=chance.choice([0, 60]),
        local_only_external=chance.random() < 0.5,
    )


@pytest.mark.parametrize("seed", range(30))
def test_any_walk_of_changes_ends_where_loading_anew_would(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a test
    table = ServiceTable()
    held = Held(table, set())
    kernel: dict[str, dict[str, str]] = {name: {} for name in (*MAPS, *SETS)}
    for number in range(1, 26):
        entries, changed = dict(table.entries), set()
        for _ in range(chance.randint(1, 3)):
            name = str(chance.randint(1, 6))
            changed.add(name)
            if chance.random() < 0.3:
                entries.pop(name, None)
            else:
                entries[name] = ServiceEntry((port(name, chance),))
        table = ServiceTable(entries, number if chance.random() < 0.8 else 0, frozenset(changed))
        carry_out(kernel, *held.difference(table))
        wanted = elements(table.ports)
        # Of two that claim one address either may have it; but what is held must be whole.
        assert kernel == wanted.of
        table = ServiceTable(entries, number)


def carry_out(kernel: dict[str, dict[str, str]], old: Elements, new: Elements) -> None:
    """As the kernel would: what is taken out must be there, what is put in must not."""
    for name, items in old.of.items():
        for key, value in items.items():
            if new.of[name].get(key) != value:
                assert kernel[name].pop(key) == value
    for name, items in new.of.items():
        for key, value in items.items():
            if old.of[name].get(key) != value:
                assert key not in kernel[name]
                kernel[name][key] = value


def test_a_change_of_one_service_looks_at_no_other() -> None:
    chance = random.Random(1)  # noqa: S311 - a test
    entries = {str(n): alone(str(n), chance) for n in range(2, 200)}
    table = ServiceTable(entries, 1)
    held = Held(table, set())
    after = {**entries, "7": alone("7", chance)}
    old, new = held.difference(ServiceTable(after, 2, frozenset({"7"})))
    keys = {key for items in (*old.of.values(), *new.of.values()) for key in items}
    assert not any("10.43.0.8 " in key for key in keys)


def alone(name: str, chance: random.Random) -> ServiceEntry:
    return ServiceEntry((replace(port(name, chance), external_ips=()),))
