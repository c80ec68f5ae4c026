"""What volumes ask of nodes, by chance: no choice breaks a rule, and none is overlooked."""

import itertools
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from appliance.api import volumebinding as binding
from appliance.api.kinds.core.node import Node
from appliance.api.kinds.core.persistentvolume import PersistentVolume
from appliance.api.kinds.core.persistentvolumeclaim import PersistentVolumeClaim
from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.kinds.storage.storageclass import StorageClass
from appliance.api.meta import ObjectMeta
from appliance.control.scheduler.volumes import (
    LOST,
    UNBOUND,
    choices,
    claim_names,
    needs,
    objection,
)

NODES = [
    Node(metadata=ObjectMeta(name=name, labels={"host": name, "zone": zone}))
    for name, zone in (("n1", "a"), ("n2", "a"), ("n3", "b"))
]
CLASSES = {
    "made": msgspec.convert(
        {
            "metadata": {"name": "made"},
            "provisioner": "example.org/disks",
            "volumeBindingMode": binding.WAITS,
            "allowedTopologies": [
                {"matchLabelExpressions": [{"key": "zone", "values": ["a"]}]},
            ],
        },
        StorageClass,
    ),
    "found": msgspec.convert(
        {
            "metadata": {"name": "found"},
            "provisioner": binding.NO_PROVISIONER,
            "volumeBindingMode": binding.WAITS,
        },
        StorageClass,
    ),
}

sizes = st.integers(1, 3)
hosts = st.sampled_from([None, "n1", "n2", "n3"])
claims_of = st.lists(
    st.tuples(sizes, st.sampled_from(["made", "found"]), st.sampled_from(["", "", "n1", "n3"])),
    min_size=1,
    max_size=3,
)
volumes_of = st.lists(st.tuples(sizes, st.sampled_from(["made", "found"]), hosts), max_size=4)


def claim(name: str, size: int, klass: str, selected: str = "") -> PersistentVolumeClaim:
    notes = {binding.SELECTED_NODE: selected} if selected else {}
    body = {
        "metadata": {"name": name, "namespace": "x", "uid": f"u-{name}", "annotations": notes},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": f"{size}Gi"}},
            "storageClassName": klass,
        },
    }
    return msgspec.convert(body, PersistentVolumeClaim)


def volume(name: str, size: int, klass: str, host: str | None) -> PersistentVolume:
    spec: dict[str, Any] = {
        "capacity": {"storage": f"{size}Gi"},
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": klass,
    }
    if host:
        term = {"matchExpressions": [{"key": "host", "operator": "In", "values": [host]}]}
        spec["nodeAffinity"] = {"required": {"nodeSelectorTerms": [term]}}
    body = {"metadata": {"name": name}, "spec": spec, "status": {"phase": "Available"}}
    return msgspec.convert(body, PersistentVolume)


def pod(*names: str) -> Pod:
    volumes = [{"name": n, "persistentVolumeClaim": {"claimName": n}} for n in names]
    meta = {"name": "p", "namespace": "x"}
    return msgspec.convert({"metadata": meta, "spec": {"volumes": volumes}}, Pod)


@given(claims_of, volumes_of)
def test_a_choice_keeps_every_rule_and_an_objection_is_true(
    wanted: list[tuple[int, str, str]], there: list[tuple[int, str, str | None]]
) -> None:
    claims = {f"c{n}": claim(f"c{n}", *one) for n, one in enumerate(wanted)}
    volumes = {f"v{n}": volume(f"v{n}", *one) for n, one in enumerate(there)}
    found = needs(pod(*claims), claims, volumes, CLASSES)
    assert not found.fault
    for node in NODES:
        made = choices(found, node)
        assert (made is None) == bool(objection(found, node))
        if made is None:
            assert not _possible(list(claims.values()), list(volumes.values()), node)
            continue
        assert sorted(c.claim.metadata.name for c in made) == sorted(claims)
        given_out = [c.volume.metadata.name for c in made if c.volume is not None]
        assert len(given_out) == len(set(given_out)), "no volume twice"
        for choice in made:
            if choice.volume is not None:
                assert binding.reaches(node, choice.volume)
                assert not binding.mismatch(choice.volume, choice.claim)
            else:
                klass = CLASSES[binding.class_of(choice.claim)]
                assert klass.provisioner != binding.NO_PROVISIONER
                assert binding.may_provision_on(node, klass)


def _possible(
    claims: list[PersistentVolumeClaim], volumes: list[PersistentVolume], node: Node
) -> bool:
    """Look at every way of giving volumes out: the plain truth, at any price."""
    if any(
        c.metadata.annotations.get(binding.SELECTED_NODE, node.metadata.name) != node.metadata.name
        for c in claims
    ):
        return False
    fits = [v for v in volumes if binding.reaches(node, v)]
    ways = itertools.permutations([*fits, *[None] * len(claims)], len(claims))
    return any(all(map(_serves, claims, way, [node] * len(claims))) for way in ways)


def _serves(claim: PersistentVolumeClaim, volume: PersistentVolume | None, node: Node) -> bool:
    if volume is not None:
        return not binding.mismatch(volume, claim)
    klass = CLASSES[binding.class_of(claim)]
    return klass.provisioner != binding.NO_PROVISIONER and binding.may_provision_on(node, klass)


def test_faults_of_claims_are_those_of_the_pod() -> None:
    unbound = claim("c", 1, "elsewhere")
    going = claim("c", 1, "made")
    going.metadata.deletionTimestamp = "2026-01-01T00:00:00Z"
    bound = claim("c", 1, "made")
    bound.spec.volumeName = "v"
    bound.metadata.annotations = {binding.BIND_COMPLETED: "yes"}
    one = pod("c")
    assert needs(one, {}, {}, CLASSES).fault == 'persistentvolumeclaim "c" not found'
    assert needs(one, {"c": unbound}, {}, CLASSES).fault == UNBOUND
    assert needs(one, {"c": going}, {}, CLASSES).fault.endswith("is being deleted")
    assert objection(needs(one, {"c": bound}, {}, CLASSES), NODES[0]) == LOST


def test_a_pods_own_claim_is_named_after_it() -> None:
    body = {
        "metadata": {"name": "p", "namespace": "x"},
        "spec": {"volumes": [{"name": "scratch", "ephemeral": {}}, {"name": "e", "emptyDir": {}}]},
    }
    assert claim_names(msgspec.convert(body, Pod)) == ["p-scratch"]
