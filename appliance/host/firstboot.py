"""appliance.yaml on the boot partition becomes this host's configuration, at every boot.

    python -m appliance.host.firstboot --boot /boot/efi

Run by `appliance-firstboot.service` of the disk image before the network and before our own units.
`understand` and `files` are pure: text to wish and faults, wish to files. All faults are told at
once, on the console and in `status.txt` beside the file. A faulty file changes nothing: the host
goes on with what an earlier boot understood, or runs nothing. What stands under `config:` is
judged by the server or agent itself, which knows its keys.
"""

import argparse
import os
import re
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import yaml

from appliance.api.names import dns_label
from appliance.host import console
from appliance.kit.atomicfile import write_atomic

Role = Literal["server", "agent"]

NAME = "appliance.yaml"
MAX_BYTES = 64 * 1024  # a person wrote it
ROLES: tuple[Role, ...] = ("server", "agent")
RUNTIMES = ("podman", "docker")
_KEYS = ("role", "server", "token", "hostname", "runtime", "ssh_authorized_keys", "config")
_TEXTS = ("server", "token", "hostname", "runtime")
USED = "(used)"  # what stands in place of a token once the host has joined
_TOKEN_LINE = re.compile(rb"(?m)^token:[^\r\n]*")
_SSH_KEY = re.compile(r"(ssh-|ecdsa-|sk-)[a-z0-9@.-]+ [A-Za-z0-9+/]+=*( .*)?")


@dataclass(frozen=True, slots=True)
class Wish:
    """What the file asks for."""

    role: Role = "server"
    server: str = ""
    token: str = field(default="", repr=False)
    hostname: str = ""
    runtime: str = "podman"
    ssh_keys: tuple[str, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class File:
    """One file to write, by its path below the root; without text, there shall be none."""

    path: str
    text: str
    mode: int = 0o644


def understand(data: bytes, *, joined: bool) -> tuple[Wish, list[str]]:
    """The wish, and every fault with its remedy; the wish counts only without faults.

    `joined` says that this host has its certificates, so that a token is no longer needed.
    """
    content, faults = _read(data)
    faults += [
        f"{key}: there is no such key; known are {', '.join(_KEYS)}" for key in _odd(content)
    ]
    texts, wrong = _texts(content)
    faults += wrong
    role = content.get("role", "server")
    if role not in ROLES:
        faults.append(f"role: must be server or agent, not {role!r}")
        role = "server"
    keys, wrong = _ssh_keys(content.get("ssh_authorized_keys"))
    faults += wrong
    config = content.get("config")
    if config is not None and not isinstance(config, dict):
        faults.append("config: must be a map of keys to values, as in config.yaml")
        config = None
    wish = Wish(
        role=role,
        server=texts["server"],
        token="" if texts["token"] == USED else texts["token"],
        hostname=texts["hostname"].lower(),
        runtime=texts["runtime"] or "podman",
        ssh_keys=keys,
        config=config or {},
    )
    return wish, faults + _value_faults(wish, joined=joined)


def files(wish: Wish) -> list[File]:
    """What a wish without faults means for the host."""
    config: dict[str, Any] = {**wish.config, "runtime": wish.runtime}
    given = {"server": wish.server, "token": wish.token}
    config |= {key: value for key, value in given.items() if value}
    other = ROLES[1 - ROLES.index(wish.role)]
    text = yaml.safe_dump(config, sort_keys=True)
    return [
        File("etc/appliance/config.yaml", f"# Made from {NAME} at each boot.\n{text}", 0o600),
        File(f"etc/appliance/role-{other}", ""),
        File(f"etc/appliance/role-{wish.role}", f"{wish.role}\n"),
        File("etc/hostname", f"{wish.hostname}\n"),
        File("root/.ssh/authorized_keys", "".join(f"{key}\n" for key in wish.ssh_keys), 0o600),
    ]


def own_name(machine_id: str) -> str:
    """A name for a host that was given none; hosts of the same image get different ones."""
    return f"appliance-{machine_id.strip()[:6] or 'host'}"


def without_token(data: bytes) -> bytes:
    """The file with its token gone: whoever finds the card shall not find the cluster.

    Only where it is written plainly; a file in UTF-16 stays as it is.
    """
    return _TOKEN_LINE.sub(f"token: {USED}".encode(), data)


def forget_token(folder: Path) -> None:
    """Take the token out of the file; called when the host has joined."""
    path = folder / NAME
    data = path.read_bytes()
    if (new := without_token(data)) != data:
        write_atomic(path, new, mode=0o644)


def _read(data: bytes) -> tuple[Mapping[str, Any], list[str]]:
    if len(data) > MAX_BYTES:
        return {}, [f"the file is larger than {MAX_BYTES // 1024} KiB"]
    try:
        content = yaml.safe_load(data)  # knows UTF-8 and UTF-16 by their marks, as editors write
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        return {}, [f"{where}this is not YAML: {error.problem}"]
    except yaml.YAMLError as error:
        return {}, [f"this is not YAML: {error}"]
    if content is None:
        return {}, []
    if not isinstance(content, dict):
        return {}, ["the file must be lines of `key: value`"]
    return content, []


def _odd(content: Mapping[str, Any]) -> list[str]:
    return [str(key) for key in content if key not in _KEYS]


def _texts(content: Mapping[str, Any]) -> tuple[dict[str, str], list[str]]:
    texts, faults = dict.fromkeys(_TEXTS, ""), []
    for key in _TEXTS:
        value = content.get(key)
        if isinstance(value, str | int) and not isinstance(value, bool):
            texts[key] = str(value).strip()
        elif value is not None:
            faults.append(f"{key}: must be one text")
    return texts, faults


def _ssh_keys(value: Any) -> tuple[tuple[str, ...], list[str]]:
    if value is None:
        return (), []
    if isinstance(value, str):
        value = value.splitlines()
    if not isinstance(value, list):
        return (), ["ssh_authorized_keys: must be a list of public keys"]
    keys = tuple(str(one).strip() for one in value)
    return keys, [
        f"ssh_authorized_keys[{n}]: is no public key; it starts with ssh-ed25519 or ssh-rsa"
        for n, key in enumerate(keys)
        if not _SSH_KEY.fullmatch(key)
    ]


def _value_faults(wish: Wish, *, joined: bool) -> list[str]:
    faults = []
    if wish.hostname:
        faults += [f"hostname: {wrong}" for wrong in dns_label(wish.hostname)]
    if wish.runtime not in RUNTIMES:
        faults.append(f"runtime: must be {' or '.join(RUNTIMES)}, not {wish.runtime!r}")
    if wish.role == "server" and wish.server:
        faults.append("server: a server joins nobody; did you mean role: agent?")
    if wish.role == "agent":
        if not wish.server:
            faults.append("server: an agent needs one, such as https://pi-1:6443")
        elif fault := _url_fault(wish.server):
            faults.append(fault)
        if not wish.token and not joined:
            faults.append("token: an agent needs one: run `appliance token create` on the server")
    return faults


def _url_fault(text: str) -> str:
    url = urlsplit(text if "://" in text else f"https://{text}")
    try:
        good = url.scheme == "https" and url.hostname and url.port != 0
    except ValueError:
        good = False
    return "" if good else f"server: {text!r} is none: give a host or https://host:6443"


def apply(wish: Wish, root: Path) -> None:
    """Write the files of a wish."""
    for file in files(wish):
        path = root / file.path
        if not file.text:
            path.unlink(missing_ok=True)
        elif not path.exists() or path.read_text() != file.text:
            write_atomic(path, file.text.encode(), mode=file.mode)


def earlier_role(root: Path) -> str:
    """The role that an earlier boot understood, or nothing."""
    return next((r for r in ROLES if (root / f"etc/appliance/role-{r}").exists()), "")


def boot(folder: Path, root: Path) -> console.State:
    """Read the file, apply it, and tell what happened."""
    joined = (root / "var/lib/appliance/agent/joined.json").exists()
    try:
        wish, faults = understand((folder / NAME).read_bytes(), joined=joined)
    except OSError as error:
        wish, faults = Wish(), [f"it can't be read: {error.strerror}"]
    if faults:
        earlier = earlier_role(root)
        return console.State("faulty", role=earlier, faults=tuple(faults), name=_name_now(root))
    if not wish.hostname:
        machine_id = root / "etc/machine-id"
        name = own_name(machine_id.read_text() if machine_id.exists() else "")
        wish = replace(wish, hostname=name)
    apply(wish, root)
    return console.State("starting", role=wish.role, name=wish.hostname, server=wish.server)


def _name_now(root: Path) -> str:
    path = root / "etc/hostname"
    return path.read_text().strip() if path.exists() else ""


def main(argv: Sequence[str]) -> int:
    """Run at boot; 1 when the file is faulty."""
    parser = argparse.ArgumentParser(prog="firstboot")
    parser.add_argument("--boot", type=Path, required=True, help="where the boot partition is")
    parser.add_argument("--root", type=Path, default=Path("/"), help="another root, for tests")
    parser.add_argument("--forget-token", action="store_true", help="only that: it has joined")
    chosen = parser.parse_args(argv)
    if chosen.forget_token:
        forget_token(chosen.boot)
        return 0
    state = boot(chosen.boot, chosen.root)
    if state.name and chosen.root == Path("/") and os.geteuid() == 0:
        socket.sethostname(state.name)
    console.tell(state, chosen.boot, always=True)  # after a start everything is news
    return 1 if state.faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
