"""What state this host is in, on its screens and in a file on the boot partition.

    python -m appliance.host.console --boot /boot/efi runs|ended

Called by `firstboot.py`, and by the units of the disk image when a server or agent has started or
ended. `page` and `ending` are pure. Only news is told: the boot partition is a memory card.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml

from appliance.host.address import LOOPBACK, host_address, host_name
from appliance.kit.atomicfile import write_atomic

Phase = Literal["faulty", "starting", "runs", "ended"]

STATUS = "status.txt"
_CONFIG = Path("etc/appliance/config.yaml")
_ACTIVE = Path("/sys/class/tty/console/active")  # such as "tty0 ttyS0"
# Exit codes of `appliance agent`, see its --help.
ENDINGS: Mapping[str, str] = {
    "2": "its configuration is wrong; see the lines under `config:` in appliance.yaml",
    "3": "the server does not know the token; make one with `appliance token create`",
    "4": "the token has expired; make one with `appliance token create`",
    "5": "the server is not the one that made the token: its CA is another",
    "6": "the server can't be reached; trying again",
}


@dataclass(frozen=True, slots=True)
class State:
    """All that is told."""

    phase: Phase
    role: str = ""
    name: str = ""
    server: str = ""
    address: str = ""
    faults: tuple[str, ...] = ()
    why: str = ""


def page(state: State) -> str:
    """The state as text, its first line the summary."""
    lines = [f"appliance: {_summary(state)}"]
    lines += [f"  - {fault}" for fault in state.faults]
    if state.phase == "faulty":
        lines.append("  Correct the file on the boot partition and start the host again.")
        if state.role:
            lines.append(f"  Until then it goes on as {state.role} with the earlier configuration.")
    for key, value in (("address", state.address), ("server", state.server)):
        if value:
            lines.append(f"  {key}: {value}")
    return "\n".join(lines) + "\n"


def _summary(state: State) -> str:
    who = f"{state.role} {state.name}".strip()
    match state.phase:
        case "faulty":
            many = len(state.faults)
            return f"appliance.yaml has {many} fault{'s' if many > 1 else ''}"
        case "starting":
            return f"{who} is starting"
        case "runs":
            return f"{who} is running"
        case "ended":
            return f"{who} has stopped" + (f": {state.why}" if state.why else "")


def ending(result: str, status: str) -> str:
    """Why a unit ended, from what systemd tells: SERVICE_RESULT and EXIT_STATUS."""
    if result == "success":
        return ""
    return ENDINGS.get(status, f"{result} {status}; see journalctl -u 'appliance*'")


def tell(state: State, boot: Path, *, always: bool = False) -> None:
    """Write to every console and to the file, if it is news: a unit may end every 5 s alike."""
    text = page(state)
    sys.stderr.write(text)
    path = boot / STATUS
    data = text.replace("\n", "\r\n").encode()  # for editors that know no other line ends
    try:
        if not always and path.exists() and path.read_bytes() == data:
            return
        write_atomic(path, data, mode=0o644)
    except OSError as error:
        sys.stderr.write(f"{path}: {error}\n")
    for screen in _screens():
        try:
            with screen.open("wb") as stream:
                stream.write(b"\r\n" + data)
        except OSError as error:
            sys.stderr.write(f"{screen}: {error}\n")


def _screens() -> list[Path]:
    if not _ACTIVE.exists() or os.geteuid() != 0:
        return []
    return [Path("/dev") / name for name in _ACTIVE.read_text().split()]


def _configured(root: Path) -> Mapping[str, str]:
    path = root / _CONFIG
    return (yaml.safe_load(path.read_text()) if path.exists() else None) or {}


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run by our units."""
    parser = argparse.ArgumentParser(prog="console")
    parser.add_argument("--boot", type=Path, required=True, help="where the boot partition is")
    parser.add_argument("event", choices=["runs", "ended"])
    chosen = parser.parse_args(argv)
    server = str(_configured(Path("/")).get("server", ""))
    why = ""
    if chosen.event == "ended":
        why = ending(environ.get("SERVICE_RESULT", ""), environ.get("EXIT_STATUS", ""))
    address = host_address()
    state = State(
        chosen.event,
        role="agent" if server else "server",
        name=host_name(),
        server=server,
        address="" if address == LOOPBACK else address,
        why=why,
    )
    tell(state, chosen.boot)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
