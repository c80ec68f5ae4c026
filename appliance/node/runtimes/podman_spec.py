"""Our `ContainerSpec` → the body of libpod's create request, and list entries → ours; pure.

Source: libpod API v4.0.0, `SpecGenerator`.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from appliance.kit.limits import grantable
from appliance.node.runtimes.base import Container, ContainerSpec, Mount, State
from appliance.node.runtimes.values import LOG_MAX_BYTES, STATES, full_id, seconds_of


def create_body(spec: ContainerSpec, *, may_raise_limits: bool) -> dict[str, Any]:
    """The create request; absent keys leave the image's own settings or the engine's."""
    security, score = spec.security, spec.limits.oom_score_adj
    joined = spec.network.startswith("container:")
    wishes: dict[str, Any] = {
        "entrypoint": list(spec.command),
        "command": list(spec.args),
        "work_dir": spec.working_dir,
        "user": security.user,
        # Docker lends a joined container its owner's name; here it has to be asked for.
        "hostname": "" if joined else spec.hostname,
        "utsns": namespace(spec.network) if joined else None,
        "terminal": spec.tty,
        "stdin": spec.stdin,
        "pidns": namespace(spec.pid),
        "ipcns": namespace(spec.ipc),
        "mounts": [_mount(m) for m in spec.mounts],
        "resource_limits": _limits(spec),
        "oom_score_adj": score if score and (score > 0 or may_raise_limits) else None,
        "groups": list(security.groups),
        "privileged": security.privileged,
        "cap_add": list(security.add_capabilities),
        "cap_drop": list(security.drop_capabilities),
        "read_only_filesystem": security.read_only_root,
        "no_new_privileges": security.no_new_privileges,
        "sysctl": dict(security.sysctls),
        # podman's built-in limits are higher than a root without CAP_SYS_RESOURCE may set.
        "r_limits": []
        if may_raise_limits
        else [{"type": n, "soft": s, "hard": h} for n, (s, h) in grantable().items()],
    }
    return {
        "name": spec.name,
        "image": spec.image,
        "labels": dict(spec.marks),
        "env": dict(spec.env),
        "netns": namespace(spec.network),
        "log_configuration": {"driver": "k8s-file", "size": LOG_MAX_BYTES},
        "restart_policy": "no",
        "systemd": "false",  # or an image whose command looks like an init gets extra mounts
        "healthconfig": {"Test": ["NONE"]},
    } | {name: wish for name, wish in wishes.items() if wish}


def namespace(ours: str) -> dict[str, str] | None:
    """A namespace in libpod's words: "container:<id>" is a mode and a value."""
    mode, _, value = ours.partition(":")
    if not mode:
        return None
    return {"nsmode": mode, "value": value} if value else {"nsmode": mode}


KILLED_CODE = 137


def container_of_summary(summary: Mapping[str, Any]) -> Container | None:
    """A list entry as a container; None if it has ended: only `inspect` knows how."""
    state = STATES.get(summary["State"], State.EXITED)
    if state is State.EXITED:
        return None
    running = state is State.RUNNING
    return Container(
        id=summary["Id"],
        name=summary["Names"][0],
        image=summary["Image"],
        image_id=full_id(summary["ImageID"]),
        marks=summary.get("Labels") or {},
        state=state,
        pid=summary["Pid"] if running else 0,
        created_at=seconds_of(summary["Created"]),
        started_at=float(summary["StartedAt"]) if running else 0.0,
    )


def half_removed(summary: Mapping[str, Any]) -> Container:
    """A container whose removal was interrupted, as two at once can do: Podman still lists it, as
    "removing", but can't show it. It counts as dead, so that it is removed again, which works.
    """
    return Container(
        id=summary["Id"],
        name=summary["Names"][0],
        image=summary["Image"],
        image_id=full_id(summary["ImageID"]),
        marks=summary.get("Labels") or {},
        state=State.EXITED,
        exit_code=KILLED_CODE,
        error="its removal was interrupted",
        created_at=seconds_of(summary["Created"]),
    )


def _limits(spec: ContainerSpec) -> dict[str, Any]:
    limits = spec.limits
    cpu = {
        "shares": limits.cpu_shares,
        "quota": limits.cpu_quota_us,
        "period": limits.cpu_period_us,
    }
    # Swap counts memory and swap together: the same number means no swap.
    memory = {"limit": limits.memory_bytes, "swap": limits.memory_bytes}
    parts = {"cpu": cpu, "memory": memory, "pids": {"limit": limits.pids}}
    named = {name: {k: v for k, v in part.items() if v} for name, part in parts.items()}
    return {name: part for name, part in named.items() if part}


def _mount(mount: Mount) -> dict[str, Any]:
    access = "ro" if mount.read_only else "rw"
    return {
        "type": "bind",
        "source": mount.source,
        "destination": mount.target,
        "options": ["rbind", access, mount.propagation or "rprivate"],
    }


def image_path(name: str) -> str:
    """An image's name or id as a part of a path."""
    return quote(name.removeprefix("sha256:"), safe="")


def tag_params(name: str) -> dict[str, str]:
    """A name as the tag call takes it."""
    tag = name.rpartition("/")[2].partition(":")[2] or "latest"
    return {"repo": name.removesuffix(f":{tag}"), "tag": tag}


def size_params(width: int, height: int) -> dict[str, str]:
    """A terminal's size."""
    return {"w": str(width), "h": str(height)}


def as_labels(marks: Mapping[str, str]) -> list[str]:
    """Labels as lists and events are filtered by them."""
    return [f"{name}={value}" for name, value in marks.items()]
