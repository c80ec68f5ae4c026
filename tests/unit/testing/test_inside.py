"""What process 1 of a node takes away and makes writable, by its mounts."""

from pathlib import Path

from appliance.testing.inside import masks, read_only_cgroups, share_cgroups

MOUNTS = """\
476 400 0:160 / / rw,relatime - overlay overlay rw
477 476 0:168 / /proc rw,nosuid - proc proc rw
480 476 0:171 / /sys ro,nosuid - sysfs sysfs ro
481 480 0:172 / /sys/fs/cgroup rw,nosuid - tmpfs tmpfs rw,mode=755
482 481 0:29 / /sys/fs/cgroup/cpu ro,nosuid - cgroup cgroup rw,cpu
483 481 0:30 / /sys/fs/cgroup/pids rw,nosuid - cgroup cgroup rw,pids
377 477 0:168 /sys /proc/sys ro,nosuid - proc proc rw
378 377 0:1 / /proc/sys/kernel/x rw - tmpfs tmpfs rw
381 480 0:175 / /sys/firmware ro,relatime - tmpfs tmpfs ro
382 476 0:2 / /process rw - tmpfs tmpfs rw
"""


def test_masks_are_lifted_from_the_inside_out_and_cgroups_stay() -> None:
    assert masks(MOUNTS) == ["/sys/firmware", "/proc/sys/kernel/x", "/proc/sys"]


def test_cgroups_that_are_read_only_become_writable() -> None:
    assert read_only_cgroups(MOUNTS) == ["/sys/fs/cgroup/cpu"]
    unified = "482 480 0:29 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw\n"
    assert read_only_cgroups(unified) == ["/sys/fs/cgroup"]


def test_version_2_gets_a_leaf_for_its_processes_and_all_controllers(tmp_path: Path) -> None:
    (tmp_path / "cgroup.procs").write_text("1\n")
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids\n")
    share_cgroups(tmp_path)
    assert (tmp_path / "node/cgroup.procs").read_text() == "1"
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+cpu +memory +pids"
