from pathlib import Path

from appliance.assembly.place import find_place
from appliance.config.load import load


def test_what_is_given_is_taken_and_the_rest_is_found(tmp_path: Path) -> None:
    flags = {"data-dir": str(tmp_path), "node-name": "pi-1", "node-ip": "192.0.2.7"}
    place = find_place(load("server", flags, environ={}))
    assert (place.node_name, place.node_ip) == ("pi-1", "192.0.2.7")
    assert place.advertise_address == "192.0.2.7"
    assert place.kubernetes_ip == "10.43.0.1"
    for name in ("kubernetes.default.svc", "localhost", "127.0.0.1", "192.0.2.7", "10.43.0.1"):
        assert name in place.api_names


def test_the_clusters_id_is_made_once(tmp_path: Path) -> None:
    config = load("server", {"data-dir": str(tmp_path)}, environ={})
    first = find_place(config).cluster_id
    assert find_place(config).cluster_id == first
    assert len(f"apl{first}") <= 15, "it is part of a network interface's name"
