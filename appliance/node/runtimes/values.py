"""Our values ↔ the JSON of the engines; pure.

The Docker driver uses all of it. libpod answers `inspect` and takes log options in almost the
same words, so the Podman driver shares what is the same.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from appliance.node.runtimes.base import (
    Container,
    ContainerSpec,
    Image,
    LogOptions,
    Mount,
    State,
)

Json = Mapping[str, Any]

STATES = {
    "created": State.CREATED,
    "configured": State.CREATED,  # libpod's word
    "initialized": State.CREATED,
    "running": State.RUNNING,
    "paused": State.RUNNING,
    "stopping": State.RUNNING,
    "restarting": State.RUNNING,
}
# Engines keep output until the container goes; without a bound one chatty pod fills the disk.
LOG_MAX_BYTES = 10 << 20
LOG_FILES = 2


def seconds_of(text: str) -> float:
    """Seconds since 1970 of an engine's time; 0 for "never" (the year 1, or nothing)."""
    if not text or text.startswith("0001-"):
        return 0.0
    return datetime.fromisoformat(text).timestamp()


def container_config(spec: ContainerSpec, *, may_lower_oom_score: bool) -> dict[str, Any]:
    """The body of Docker's create request.

    Absent keys leave the image's own settings. A given entry point without arguments drops the
    image's arguments too, which is what Kubernetes asks for.
    """
    config: dict[str, Any] = {
        "Image": spec.image,
        "Labels": dict(spec.marks),
        "Env": [f"{name}={value}" for name, value in spec.env],
        "HostConfig": _host_config(spec, may_lower_oom_score=may_lower_oom_score),
    }
    wishes = {
        "Entrypoint": list(spec.command),
        "Cmd": list(spec.args),
        "WorkingDir": spec.working_dir,
        "User": spec.security.user,
        # A joined namespace has its owner's name; the engine refuses another.
        "Hostname": "" if spec.network.startswith("container:") else spec.hostname,
        "Tty": spec.tty,
        "OpenStdin": spec.stdin,
        "StdinOnce": spec.stdin_once,
        # Probes are the pod's; the image's own check would run beside them, unasked.
        "Healthcheck": {"Test": ["NONE"]},
    }
    return config | {name: wish for name, wish in wishes.items() if wish}


def _host_config(spec: ContainerSpec, *, may_lower_oom_score: bool) -> dict[str, Any]:
    limits, security = spec.limits, spec.security
    score = limits.oom_score_adj
    wishes: dict[str, Any] = {
        "PidMode": spec.pid,
        "IpcMode": spec.ipc or "shareable",  # other containers of the pod join it
        "Mounts": [_mount(m) for m in spec.mounts],
        "CpuShares": limits.cpu_shares,
        "CpuQuota": limits.cpu_quota_us,
        "CpuPeriod": limits.cpu_period_us,
        "Memory": limits.memory_bytes,
        # Without this the engine adds as much swap again.
        "MemorySwap": limits.memory_bytes,
        "PidsLimit": limits.pids,
        "OomScoreAdj": score if score and (score > 0 or may_lower_oom_score) else None,
        "GroupAdd": list(security.groups),
        "Privileged": security.privileged,
        "CapAdd": list(security.add_capabilities),
        "CapDrop": list(security.drop_capabilities),
        "ReadonlyRootfs": security.read_only_root,
        "SecurityOpt": ["no-new-privileges"] if security.no_new_privileges else [],
        "Sysctls": dict(security.sysctls),
    }
    return {
        "NetworkMode": spec.network,
        "LogConfig": {
            "Type": "json-file",
            "Config": {"max-size": str(LOG_MAX_BYTES), "max-file": str(LOG_FILES)},
        },
    } | {name: wish for name, wish in wishes.items() if wish}


def _mount(mount: Mount) -> dict[str, Any]:
    return {
        "Type": "bind",
        "Source": mount.source,
        "Target": mount.target,
        "ReadOnly": mount.read_only,
        "BindOptions": {"Propagation": mount.propagation or "rprivate"},
    }


def container_of(looked: Json) -> Container:
    """A container from Docker's inspect answer."""
    state, config = looked["State"], looked["Config"]
    status = STATES.get(state["Status"], State.EXITED)
    return Container(
        id=looked["Id"],
        name=looked["Name"].removeprefix("/"),
        image=config["Image"],
        image_id=full_id(looked["Image"]),
        marks=config.get("Labels") or {},
        state=status,
        pid=state["Pid"] if status is State.RUNNING else 0,
        exit_code=state["ExitCode"],
        oom_killed=state["OOMKilled"],
        error=state["Error"],
        created_at=seconds_of(looked["Created"]),
        started_at=seconds_of(state["StartedAt"]),
        finished_at=seconds_of(state["FinishedAt"]) if status is State.EXITED else 0.0,
    )


def image_of(found: Json) -> Image:
    """An image from an inspect answer or a line of the list."""
    return Image(
        id=full_id(found["Id"]),
        names=tuple(n for n in found.get("RepoTags") or () if n != "<none>:<none>"),
        digests=tuple(d for d in found.get("RepoDigests") or () if "<none>" not in d),
        size_bytes=found["Size"],
        user=(found.get("Config") or {}).get("User", ""),
    )


def full_id(digest: str) -> str:
    """Docker says `sha256:ab…`, libpod just `ab…`; ours is the longer one."""
    return digest if ":" in digest else f"sha256:{digest}"


def log_params(options: LogOptions) -> dict[str, str]:
    """Log options as query parameters."""
    params = {
        "follow": _word(options.follow),
        "stdout": _word(options.stdout),
        "stderr": _word(options.stderr),
        "timestamps": _word(options.timestamps),
        "tail": "all" if options.tail_lines is None else str(options.tail_lines),
    }
    if options.since is not None:
        params["since"] = f"{options.since:.9f}"
    return params


def _word(value: bool) -> str:
    return "true" if value else "false"
