from pathlib import Path

import pytest

from appliance.config.load import load
from appliance.config.problems import ConfigError


def test_flag_beats_environment_beats_file_beats_default(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("data-dir: /from/file\nruntime: docker\nhttps-listen-port: 7443\n")
    config = load(
        "server",
        {"data-dir": "/from/flag"},
        environ={"APPLIANCE_RUNTIME": "podman"},
        file=str(file),
    )
    assert (config.data_dir, config.runtime, config.https_listen_port) == (
        "/from/flag",
        "podman",
        7443,
    )
    assert config.origins["data-dir"] == "flag --data-dir"
    assert config.origins["runtime"] == "environment APPLIANCE_RUNTIME"
    assert config.origins["https-listen-port"] == str(file)
    assert config.origins["cluster-cidr"] == "default"


def test_drop_in_files_follow_by_name(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("node-name: a\n")
    folder = tmp_path / "config.yaml.d"
    folder.mkdir()
    (folder / "20.yaml").write_text("node-name: c\n")
    (folder / "10.yaml").write_text("node-name: b\n")
    assert load("server", {}, environ={}, file=str(file)).node_name == "c"


def test_all_faults_come_at_once_each_with_its_remedy(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("https-listen-port: many\nruntime: rkt\nno-such-key: 1\n")
    with pytest.raises(ConfigError) as caught:
        load("server", {}, environ={}, file=str(file))
    assert str(caught.value).splitlines() == [
        f"https-listen-port = 'many' (from {file}): must be a whole number",
        f"runtime = 'rkt' (from {file}): must be one of auto, docker, podman",
        f"no-such-key = '1' (from {file}): there is no such key",
    ]


@pytest.mark.parametrize(
    ("key", "value", "remedy"),
    [
        ("cluster-cidr", "10.42.0.0/99", "must be a network such as 10.42.0.0/16"),
        ("https-listen-port", "65536", "must be between 0 and 65535"),
        ("node-ip", "pi-1", "must be an IP address"),
        ("cluster-dns", "8.8.8.8", "must be an address in service-cidr 10.43.0.0/16"),
        ("write-kubeconfig-mode", "rw", "must be octal, as 0600"),
        ("default-unreachable-toleration-seconds", "-2", "must be 0 or more"),
        ("default-not-ready-toleration-seconds", "-1", "must be 0 or more"),
    ],
)
def test_a_value_that_cannot_be_used_names_key_origin_and_remedy(
    key: str, value: str, remedy: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load("server", {key: value}, environ={})
    assert str(caught.value) == f"{key} = '{value}' (from flag --{key}): {remedy}"


def test_a_token_never_shows() -> None:
    config = load("server", {"token": "swordfish"}, environ={})
    assert "swordfish" not in repr(config)
    assert config.token == "swordfish"


@pytest.mark.parametrize(
    ("flags", "seconds"),
    [
        ({}, 5),
        ({"disable-controller-manager": True}, 300),
        ({"default-unreachable-toleration-seconds": "7"}, 7),
        (
            {
                "disable-controller-manager": True,
                "default-unreachable-toleration-seconds": "7",
            },
            7,
        ),
    ],
)
def test_a_silent_nodes_pods_leave_early_unless_the_controllers_are_not_ours(
    flags: dict[str, object], seconds: int
) -> None:
    assert load("server", flags, environ={}).unreachable_toleration_s == seconds
