"""Several sources become one wish."""

from appliance.api.kinds.core.pod.container import ContainerPort
from appliance.api.kinds.core.pod.kind import Pod
from appliance.node.sources.merge import Merged, merge
from tests.unit.node.stage import pod, wish


def on_port(name: str, port: int, created: str = "", **spec: object) -> Pod:
    ports = [ContainerPort(containerPort=80, hostPort=port)]
    made = pod(wish(ports=ports), name=name, uid=f"uid-{name}", **spec)
    made.metadata.creationTimestamp = created or None
    return made


def names(merged: Merged) -> tuple[list[str], list[tuple[str, str]]]:
    return (
        [p.metadata.name for p in merged.accepted],
        [(r.pod.metadata.name, r.reason) for r in merged.refused],
    )


def test_all_sources_are_heard() -> None:
    merged = merge({"api": [pod(name="a")], "file": [pod(name="f")]})
    assert names(merged) == (["f", "a"], [])


def test_a_name_belongs_to_the_source_that_comes_first() -> None:
    merged = merge({"api": [pod(uid="u1")], "file": [pod(uid="u2")]})
    assert [p.metadata.uid for p in merged.accepted] == ["u2"]
    assert merged.refused[0].message == "a pod of this name already comes from source file"


def test_two_pods_of_one_name_from_one_source_are_an_old_and_a_new_one() -> None:
    assert names(merge({"api": [pod(uid="u1"), pod(uid="u2")]})) == (["p", "p"], [])


def test_a_host_port_belongs_to_the_older_pod() -> None:
    new = on_port("a", 8080, "2026-01-02T00:00:00Z")
    old = on_port("b", 8080, "2026-01-01T00:00:00Z")
    merged = merge({"api": [new, old]})
    assert names(merged) == (["b"], [("a", "HostPortConflict")])
    assert merged.refused[0].message == "host port 8080/TCP is taken by pod default/b"


def test_a_pod_that_passes_leaves_its_port() -> None:
    gone = on_port("a", 8080, "2026-01-01T00:00:00Z")
    gone.metadata.deletionTimestamp = "2026-01-02T00:00:00Z"
    ended = on_port("b", 8080, "2026-01-01T00:00:00Z")
    ended.status.phase = "Succeeded"
    assert names(merge({"api": [gone, ended, on_port("c", 8080)]}))[1] == []


def test_on_the_hosts_network_every_port_is_the_hosts() -> None:
    one = pod(wish(ports=[ContainerPort(containerPort=80)]), name="a", uid="u1", hostNetwork=True)
    two = pod(wish(ports=[ContainerPort(containerPort=80)]), name="b", uid="u2", hostNetwork=True)
    assert names(merge({"api": [one, two]})) == (["a"], [("b", "HostPortConflict")])
