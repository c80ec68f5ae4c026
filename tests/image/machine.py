"""A virtual machine that boots a copy of the disk image, with its serial console in a file."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

FIRMWARE = Path("/usr/share/OVMF")
BOOT_AT = "@@1048576"  # where image/build puts the boot partition
GROWN_BYTES = 512 << 20
_LOOK_S = 0.5  # a file gives no events
HOST = "10.0.2.2"  # the machine that runs QEMU, as its user-mode network has it


class Machine:
    """TCG, not KVM: it works wherever the tests run, if slowly."""

    def __init__(self, folder: Path, image: Path, forward: tuple[int, int]) -> None:
        self.disk, self.serial, self.vars = (folder / n for n in ("disk.img", "serial.log", "vars"))
        self.forward = forward
        subprocess.run(["cp", "--sparse=always", image, self.disk], check=True)
        self.image_bytes = image.stat().st_size
        with self.disk.open("r+b") as stream:  # as a card that is larger than the image
            stream.truncate(self.image_bytes + GROWN_BYTES)
        self.vars.write_bytes((FIRMWARE / "OVMF_VARS_4M.fd").read_bytes())
        self.process: subprocess.Popen[bytes] | None = None

    def write(self, name: str, text: str) -> None:
        """A file on the boot partition, as its owner would edit it."""
        target = [f"{self.disk}{BOOT_AT}", "-", f"::{name}"]
        subprocess.run(["mcopy", "-o", "-i", *target], input=text.encode(), check=True)

    def read(self, name: str) -> str:
        """A file of the boot partition of a machine that is off."""
        command = ["mtype", "-i", f"{self.disk}{BOOT_AT}", f"::{name}"]
        return subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout

    def start(self) -> None:
        host, guest = self.forward
        flash = "if=pflash,format=raw,unit="
        command = [
            "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-smp", "2", "-m", "1024",
            "-display", "none", "-monitor", "none", "-serial", f"file:{self.serial}",
            "-drive", f"{flash}0,readonly=on,file={FIRMWARE / 'OVMF_CODE_4M.fd'}",
            "-drive", f"{flash}1,file={self.vars}",
            "-drive", f"if=virtio,format=raw,file={self.disk}",
            "-device", "virtio-rng-pci", "-nic",
            f"user,model=virtio-net-pci,hostfwd=tcp:127.0.0.1:{host}-:{guest}",
        ]  # fmt: skip
        self.process = subprocess.Popen(command)

    def stop(self) -> None:
        """Pull the plug."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)
            self.process = None

    def said(self) -> str:
        return self.serial.read_text(errors="replace") if self.serial.exists() else ""

    def wait_for(self, text: str, timeout_s: float) -> float:
        """Seconds until the console has said it."""
        return wait(lambda: text in self.said(), timeout_s, lambda: self.said()[-3000:])


def wait(holds: Callable[[], bool], timeout_s: float, tell: Callable[[], str]) -> float:
    """Seconds until it holds."""
    start = time.monotonic()
    while not holds():
        assert time.monotonic() - start < timeout_s, f"not within {timeout_s:.0f} s:\n{tell()}"
        time.sleep(_LOOK_S)
    return time.monotonic() - start
