"""appliance.yaml: what it means, and that all that is wrong with it is said at once."""

from pathlib import Path

import pytest
import yaml

from appliance.host.firstboot import MAX_BYTES, Wish, boot, files, main, own_name, understand

AGENT = """
role: agent
server: https://pi-1:6443
token: K10aa::x.y
hostname: Pi-2
runtime: docker
ssh_authorized_keys:
  - ssh-ed25519 AAAAC3Nz you@laptop
config:
  node-label: [room=attic]
"""
ROOT = Path(__file__).parents[3]


def test_a_host_becomes_what_the_file_says(tmp_path: Path) -> None:
    card, root = tmp_path / "card", tmp_path / "root"
    card.mkdir()
    (card / "appliance.yaml").write_text(AGENT)
    state = boot(card, root)
    assert (state.phase, state.role, state.name, state.faults) == ("starting", "agent", "pi-2", ())
    config = root / "etc/appliance/config.yaml"
    assert yaml.safe_load(config.read_text()) == {
        "node-label": ["room=attic"],
        "runtime": "docker",
        "server": "https://pi-1:6443",
        "token": "K10aa::x.y",
    }
    assert config.stat().st_mode & 0o777 == 0o600
    assert (root / "etc/hostname").read_text() == "pi-2\n"
    assert (root / "root/.ssh/authorized_keys").read_text() == "ssh-ed25519 AAAAC3Nz you@laptop\n"
    assert (root / "etc/appliance/role-agent").exists()

    (card / "appliance.yaml").write_text("role: server\n")
    assert boot(card, root).role == "server"
    assert sorted(p.name for p in (root / "etc/appliance").iterdir()) == [
        "config.yaml",
        "role-server",
    ]
    assert yaml.safe_load(config.read_text()) == {"runtime": "podman"}
    assert not (root / "root/.ssh/authorized_keys").exists()


def test_a_faulty_file_leaves_the_host_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "appliance.yaml").write_text(AGENT)
    boot(tmp_path, tmp_path / "root")
    before = (tmp_path / "root/etc/appliance/config.yaml").read_bytes()
    (tmp_path / "appliance.yaml").write_text("role: agnet\nhostname: other\n")
    state = boot(tmp_path, tmp_path / "root")
    assert state.phase == "faulty"
    assert (state.role, state.name) == ("agent", "pi-2")
    assert (tmp_path / "root/etc/appliance/config.yaml").read_bytes() == before
    assert (tmp_path / "root/etc/hostname").read_text() == "pi-2\n"


def test_a_card_without_the_file_says_so(tmp_path: Path) -> None:
    state = boot(tmp_path, tmp_path / "root")
    assert state.faults == ("it can't be read: No such file or directory",)
    assert state.role == ""


def test_all_faults_are_told_at_once() -> None:
    text = """
role: boss
hostname: my host
runtime: rkt
token: [1]
sever: pi-1
ssh_authorized_keys: [rubbish]
config: nothing
"""
    _, faults = understand(text.encode(), joined=False)
    assert [fault.partition(":")[0] for fault in faults] == [
        "sever",
        "token",
        "role",
        "ssh_authorized_keys[0]",
        "config",
        "hostname",
        "runtime",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("role: agent\n\tserver: x", "line 2, column 1: this is not YAML"),
        ("role: 'agent", "line 1, column 13: this is not YAML"),
        ("- role", "the file must be lines of `key: value`"),
        ("just words", "the file must be lines of `key: value`"),
        ("role: agent\ntoken: t", "server: an agent needs one, such as https://pi-1:6443"),
        ("role: agent\nserver: pi-1", "token: an agent needs one"),
        ("role: agent\ntoken: t\nserver: http://pi-1", "server: 'http://pi-1' is none"),
        ("role: agent\ntoken: t\nserver: pi-1:none", "server: 'pi-1:none' is none"),
        ("server: pi-1", "server: a server joins nobody"),
        ("hostname: true", "hostname: must be one text"),
        ("#" * (MAX_BYTES + 1), "the file is larger than 64 KiB"),
    ],
)
def test_a_fault_says_where_and_what_to_do(text: str, said: str) -> None:
    _, faults = understand(text.encode(), joined=False)
    assert len(faults) == 1
    assert faults[0].startswith(said)


def test_a_host_that_has_joined_needs_its_token_no_more() -> None:
    _, faults = understand(b"role: agent\nserver: pi-1", joined=True)
    assert faults == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_what_editors_write_is_read(encoding: str) -> None:
    text = AGENT.replace("\n", "\r\n")
    wish, faults = understand(text.encode(encoding), joined=False)
    assert faults == []
    assert (wish.role, wish.hostname, wish.token) == ("agent", "pi-2", "K10aa::x.y")


def test_the_card_forgets_its_token_once_the_host_has_joined(tmp_path: Path) -> None:
    card = tmp_path / "appliance.yaml"
    card.write_bytes(AGENT.replace("\n", "\r\n").encode())
    assert main(["--boot", str(tmp_path), "--forget-token"]) == 0
    text = card.read_bytes()
    assert text == AGENT.replace("K10aa::x.y", "(used)").replace("\n", "\r\n").encode()
    wish, faults = understand(text, joined=True)
    assert (wish.token, faults) == ("", [])
    _, faults = understand(text, joined=False)
    assert faults == ["token: an agent needs one: run `appliance token create` on the server"]


def test_an_empty_file_is_a_server() -> None:
    assert understand(b"", joined=False) == (Wish(), [])


def test_the_file_that_we_ship_is_without_fault_in_both_roles() -> None:
    shipped = (ROOT / "image/appliance.yaml").read_text()
    assert understand(shipped.encode(), joined=False) == (Wish(), [])
    plain = [line for line in shipped.splitlines() if not line.startswith(("# ", "#  -"))]
    all_on = "\n".join(line.removeprefix("#") for line in plain).replace(
        "role: server", "role: agent"
    )
    wish, faults = understand(all_on.replace("\n  node", "\n   node").encode(), joined=False)
    assert faults == []
    assert (wish.role, wish.server, wish.hostname) == ("agent", "https://pi-1:6443", "pi-2")


def test_secrets_are_for_root_alone_and_not_in_messages() -> None:
    wish = Wish(role="agent", server="s", token="secret", ssh_keys=("k",), hostname="h")
    private = {file.path for file in files(wish) if file.mode == 0o600}
    assert private == {"etc/appliance/config.yaml", "root/.ssh/authorized_keys"}
    assert "secret" not in repr(wish)


def test_hosts_of_one_image_have_names_of_their_own() -> None:
    assert own_name("4f2a9c00deadbeef\n") == "appliance-4f2a9c"
