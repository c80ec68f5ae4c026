"""A container that Podman lists but can't show."""

from appliance.node.runtimes.base import State
from appliance.node.runtimes.podman_spec import half_removed


def test_it_counts_as_dead_so_that_it_is_removed_again() -> None:
    seen = half_removed(
        {
            "Id": "c1",
            "Names": ["k8s_POD_p"],
            "Image": "pause:1",
            "ImageID": "ab",
            "Labels": {"appliance.cluster": "x"},
            "State": "removing",
            "Created": "2026-11-24T23:25:01Z",
        }
    )
    assert (seen.id, seen.state, seen.exit_code) == ("c1", State.EXITED, 137)
    assert seen.marks == {"appliance.cluster": "x"}
    assert seen.error == "its removal was interrupted"
