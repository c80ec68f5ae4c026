"""What the engines are asked to make, and what their answers mean."""

from dataclasses import replace
from typing import Any

import pytest

from appliance.node.runtimes.base import (
    ContainerSpec,
    Limits,
    LogOptions,
    Mount,
    Security,
    State,
)
from appliance.node.runtimes.podman_spec import create_body, namespace
from appliance.node.runtimes.values import (
    container_config,
    container_of,
    image_of,
    log_params,
    seconds_of,
)

PLAIN = ContainerSpec(name="c", image="i:1", marks={"a": "b"})


def docker(spec: ContainerSpec, *, capable: bool = True) -> dict[str, Any]:
    return container_config(spec, may_lower_oom_score=capable)


def test_a_plain_wish_leaves_the_images_settings_alone() -> None:
    asked = docker(PLAIN)
    assert not asked.keys() & {"Entrypoint", "Cmd", "User", "WorkingDir", "Hostname"}
    assert asked["HostConfig"]["NetworkMode"] == "none"
    body = create_body(PLAIN, may_raise_limits=True)
    assert not body.keys() & {"entrypoint", "command", "user", "work_dir", "hostname", "r_limits"}
    assert body["netns"] == {"nsmode": "none"}


@pytest.mark.parametrize(("score", "capable", "asked"), [
    (-998, True, -998), (-998, False, None), (900, False, 900), (0, True, None),
])  # fmt: skip
def test_a_lower_oom_score_is_asked_for_only_where_it_can_be_had(
    score: int, capable: bool, asked: int | None
) -> None:
    spec = replace(PLAIN, limits=Limits(oom_score_adj=score))
    assert docker(spec, capable=capable)["HostConfig"].get("OomScoreAdj") == asked
    assert create_body(spec, may_raise_limits=capable).get("oom_score_adj") == asked


def test_a_joined_container_has_no_name_of_its_own() -> None:
    spec = replace(PLAIN, network="container:abc", hostname="x")
    assert "Hostname" not in docker(spec)
    body = create_body(spec, may_raise_limits=True)
    assert "hostname" not in body
    assert body["utsns"] == {"nsmode": "container", "value": "abc"}


def test_memory_is_the_limit_of_swap_too() -> None:
    spec = replace(PLAIN, limits=Limits(memory_bytes=1 << 20))
    assert docker(spec)["HostConfig"]["MemorySwap"] == 1 << 20
    limits = create_body(spec, may_raise_limits=True)["resource_limits"]
    assert limits == {"memory": {"limit": 1 << 20, "swap": 1 << 20}}


def test_mounts_keep_colons_and_say_how_they_spread() -> None:
    spec = replace(PLAIN, mounts=(Mount("/a:b", "/c", True, "rslave"),))
    (mount,) = docker(spec)["HostConfig"]["Mounts"]
    assert (mount["Source"], mount["ReadOnly"]) == ("/a:b", True)
    assert mount["BindOptions"] == {"Propagation": "rslave"}
    (bind,) = create_body(spec, may_raise_limits=True)["mounts"]
    assert bind["options"] == ["rbind", "ro", "rslave"]


def test_a_host_that_may_not_raise_limits_names_its_own_to_podman() -> None:
    limits = create_body(PLAIN, may_raise_limits=False)["r_limits"]
    assert {limit["type"] for limit in limits} == {"nofile", "nproc"}


def test_privileges_are_passed_on() -> None:
    spec = replace(PLAIN, security=Security(privileged=True, no_new_privileges=True))
    assert docker(spec)["HostConfig"]["Privileged"]
    assert docker(spec)["HostConfig"]["SecurityOpt"] == ["no-new-privileges"]
    body = create_body(spec, may_raise_limits=True)
    assert body["privileged"]
    assert body["no_new_privileges"]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("", None),
        ("host", {"nsmode": "host"}),
        ("container:abc", {"nsmode": "container", "value": "abc"}),
    ],
)
def test_namespaces_in_libpods_words(ours: str, theirs: dict[str, str] | None) -> None:
    assert namespace(ours) == theirs


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0001-01-01T00:00:00Z", 0.0),
        ("", 0.0),
        ("1970-01-01T00:00:01.5Z", 1.5),
        ("1970-01-01T00:00:01.123456789Z", 1.123456),
        ("1970-01-01T01:00:01.12345+01:00", 1.12345),
    ],
)
def test_times_of_engines(text: str, seconds: float) -> None:
    assert seconds_of(text) == pytest.approx(seconds, abs=1e-6)


def looked(**state: Any) -> dict[str, Any]:
    return {
        "Id": "1a",
        "Name": "/c",
        "Image": "sha256:2b",
        "Created": "1970-01-01T00:00:01Z",
        "Config": {"Image": "i:1", "Labels": None},
        "State": {
            "Status": "running",
            "Pid": 7,
            "ExitCode": 0,
            "OOMKilled": False,
            "Error": "",
            "StartedAt": "1970-01-01T00:00:02Z",
            "FinishedAt": "0001-01-01T00:00:00Z",
        }
        | state,
    }


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("created", State.CREATED),
        ("configured", State.CREATED),
        ("running", State.RUNNING),
        ("paused", State.RUNNING),
        ("stopping", State.RUNNING),
        ("exited", State.EXITED),
        ("stopped", State.EXITED),
        ("dead", State.EXITED),
        ("removing", State.EXITED),
    ],
)
def test_states_of_engines(status: str, state: State) -> None:
    seen = container_of(looked(Status=status))
    assert seen.state is state
    assert seen.pid == (7 if state is State.RUNNING else 0)


def test_a_container_that_was_started_again_has_no_end_yet() -> None:
    seen = container_of(looked(FinishedAt="1970-01-01T00:00:01Z"))
    assert (seen.name, seen.started_at, seen.finished_at) == ("c", 2.0, 0.0)


def test_an_image_id_says_how_it_was_made() -> None:
    for given in ("ab", "sha256:ab"):
        image = image_of({"Id": given, "RepoTags": None, "Size": 1})
        assert (image.id, image.names) == ("sha256:ab", ())


def test_log_options_as_the_engines_read_them() -> None:
    assert log_params(LogOptions())["tail"] == "all"
    asked = log_params(LogOptions(follow=True, tail_lines=0, since=1.5, stderr=False))
    assert (asked["follow"], asked["tail"], asked["stderr"]) == ("true", "0", "false")
    assert asked["since"] == "1.500000000"
