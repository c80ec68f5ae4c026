"""appliance image: build a disk image to flash, and look into one."""

import asyncio
import dataclasses
import os
import sys
from pathlib import Path
from typing import Any

import click
import yaml

import appliance
from appliance.cli.options import FAILED
from appliance.host.diskimage import NoImage, read_boot_file, read_partitions
from appliance.host.firstboot import NAME, understand
from appliance.kit import jsonio

_BUILD = Path(appliance.__file__).parents[1] / "image" / "build"
_FILES = ("version.txt", "status.txt")


@click.group(epilog="Example:  appliance image inspect dist/appliance.img")
def command() -> None:
    """Build a disk image to flash, and look into one."""


@command.command(epilog="Example:  appliance image build -o /srv/appliance.img")
@click.option("-o", "--output", default="dist/appliance.img", show_default=True, help="The image.")
@click.option(
    "--kernel",
    type=click.Choice(["amd64", "cloud-amd64"]),
    default="amd64",
    show_default=True,
    help="Debian's kernel: for any host, or smaller and for virtual machines alone.",
)
def build(output: str, kernel: str) -> None:
    """Build the image (as root, in a checkout of the sources)."""
    if not _BUILD.exists():
        click.echo(f"appliance: there is no {_BUILD}; run this in a checkout", err=True)
        sys.exit(FAILED)
    os.environ |= {"KERNEL": kernel, "PYTHON": sys.executable}
    os.execv(_BUILD, [str(_BUILD), str(Path(output).resolve())])  # noqa: S606 - its output is ours


@command.command(epilog="Example:  appliance image inspect dist/appliance.img -o json")
@click.argument("image", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Choice(["table", "json", "yaml"]), default="table", help="Format."
)
def inspect(image: Path, output: str) -> None:
    """Say what is in an image, and what is wrong with its appliance.yaml."""
    try:
        found = asyncio.run(_look(image))
    except NoImage as wrong:
        click.echo(f"appliance: {image}: {wrong}", err=True)
        sys.exit(FAILED)
    if output == "json":
        click.echo(jsonio.pretty(found))
    elif output == "yaml":
        click.echo(yaml.safe_dump(found, sort_keys=False).rstrip())
    else:
        click.echo(_table(found))
    if found["faults"]:
        sys.exit(FAILED)


async def _look(image: Path) -> dict[str, Any]:
    parts = read_partitions(image)
    if not parts or not parts[0].kind.startswith("boot"):
        raise NoImage("its first partition is no boot partition")
    found: dict[str, Any] = {"partitions": [dataclasses.asdict(part) for part in parts]}
    for name in _FILES:
        found[name.partition(".")[0]] = (await read_boot_file(image, parts[0], name)).strip()
    text = await read_boot_file(image, parts[0], NAME)
    wish, faults = understand(text.encode(), joined=False)
    found |= {"role": wish.role, "server": wish.server, "hostname": wish.hostname}
    return {**found, "faults": faults if text else [f"there is no {NAME}"]}


def _table(found: dict[str, Any]) -> str:
    lines = [
        f"{part['name']:8} {part['kind']:14} {part['size_bytes'] >> 20:6} MiB at "
        f"{part['start_bytes'] >> 20} MiB"
        for part in found["partitions"]
    ]
    lines += [
        f"{key}: {found[key]}" for key in ("version", "role", "server", "hostname") if found[key]
    ]
    lines += [f"{NAME}: {fault}" for fault in found["faults"]]
    if found["status"]:
        lines += ["status:", *(f"  {line}" for line in found["status"].splitlines())]
    return "\n".join(lines)
