"""Numbers out of cgroup files of both versions."""

from pathlib import Path

from appliance.node.stats.cgroups import usage_of


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_version_1(tmp_path: Path) -> None:
    write(tmp_path, {
        "7/cgroup": "9:name=systemd:/x\n4:memory:/docker/ab\n3:cpu,cpuacct:/docker/ab\n0::/\n",
        "cg/memory/docker/ab/memory.usage_in_bytes": "1000\n",
        "cg/memory/docker/ab/memory.limit_in_bytes": "9223372036854771712\n",
        "cg/memory/docker/ab/memory.stat": "total_inactive_file 400\ntotal_rss 300\n",
        "cg/cpuacct/docker/ab/cpuacct.usage": "5000000\n",
    })  # fmt: skip
    used = usage_of(7, tmp_path, tmp_path / "cg")
    assert used is not None
    assert (used.cpu_ns, used.memory_bytes, used.working_set_bytes) == (5_000_000, 1000, 600)
    assert (used.rss_bytes, used.memory_limit_bytes, used.processes) == (300, None, None)


def test_version_2(tmp_path: Path) -> None:
    write(tmp_path, {
        "7/cgroup": "0::/machine/ab\n",
        "cg/machine/ab/memory.current": "1000\n",
        "cg/machine/ab/memory.max": "2000\n",
        "cg/machine/ab/memory.stat": "anon 300\ninactive_file 100\npgfault 7\n",
        "cg/machine/ab/cpu.stat": "usage_usec 5000\nuser_usec 1\n",
        "cg/machine/ab/pids.current": "3\n",
    })  # fmt: skip
    used = usage_of(7, tmp_path, tmp_path / "cg")
    assert used is not None
    assert (used.cpu_ns, used.working_set_bytes, used.memory_limit_bytes) == (5_000_000, 900, 2000)
    assert (used.processes, used.page_faults) == (3, 7)


def test_no_cgroup_of_its_own_is_no_number(tmp_path: Path) -> None:
    write(tmp_path, {"7/cgroup": "4:memory:/\n0::/\n"})
    assert usage_of(7, tmp_path, tmp_path) is None
    assert usage_of(8, tmp_path, tmp_path) is None
