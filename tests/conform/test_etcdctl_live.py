"""Commands of etcdctl that go on for a while, or write files: the same is seen as with a real etcd.

Each scene is played twice, side by side, and gives back what was told.
"""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.conform.etcd_endpoints import ETCD, ETCDCTL, Etcdctl, ours, real

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(ETCDCTL is None, reason="etcdctl is not installed (etcd-client)"),
    pytest.mark.skipif(ETCD is None, reason="no real etcd to compare with (etcd-server)"),
]

Scene = Callable[[Etcdctl, Path], Awaitable[list[str]]]
_WAIT_S = 20


@asynccontextmanager
async def running(
    etcdctl: Etcdctl, *argv: str, stdin: str = ""
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A command that does not end by itself."""
    process = await etcdctl.start(*argv)
    assert process.stdin is not None
    process.stdin.write(stdin.encode())
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.communicate()


async def lines(process: asyncio.subprocess.Process, count: int) -> list[str]:
    assert process.stdout is not None
    async with asyncio.timeout(_WAIT_S):
        return [(await process.stdout.readline()).decode().rstrip("\n") for _ in range(count)]


async def history(etcdctl: Etcdctl) -> None:
    for argv in (("put", "a", "1"), ("put", "ab", "2"), ("put", "a", "3"), ("del", "ab")):
        await etcdctl(*argv)


async def watching(etcdctl: Etcdctl, _: Path) -> list[str]:
    await history(etcdctl)
    told: list[str] = []
    for argv, count in (
        (("watch", "--rev=2", "a"), 6),
        (("watch", "--rev=2", "--prefix", "a"), 12),
        (("watch", "--rev=2", "--prev-kv", "--prefix", "a"), 16),
        (("watch", "--rev=3", "ab", "b"), 6),
        (("watch", "--rev=2", "a", "--", "sh", "-c", "echo $ETCD_WATCH_EVENT_TYPE"), 8),
    ):
        async with running(etcdctl, *argv) as process:
            told += [" ".join(argv), *await lines(process, count)]
    return told


async def watching_as_json(etcdctl: Etcdctl, _: Path) -> list[str]:
    await history(etcdctl)
    async with running(etcdctl, "watch", "--rev=2", "--prefix", "a", "-w", "json") as process:
        (line,) = await lines(process, 1)
    data = json.loads(line)
    data["Header"] = {"revision": data["Header"]["revision"]}
    return [json.dumps(data)]


async def watching_by_hand(etcdctl: Etcdctl, _: Path) -> list[str]:
    await history(etcdctl)
    async with running(etcdctl, "watch", "-i", stdin="watch --rev=4 a\n") as process:
        told = await lines(process, 3)
        assert process.stdin is not None
        process.stdin.write(b"progress\n")
        return told + await lines(process, 1)


async def locking(etcdctl: Etcdctl, _: Path) -> list[str]:
    done = await etcdctl("lock", "l", "sh", "-c", "echo $ETCD_LOCK_KEY; exit 7")
    async with running(etcdctl, "lock", "l") as first:
        (key,) = await lines(first, 1)
        second = asyncio.create_task(etcdctl("lock", "l", "echo", "mine"))
        async with asyncio.timeout(_WAIT_S):
            while '"count":2' not in (await etcdctl("get", "l/", "--prefix", "-w", "json")).out:
                pass
    after = await second
    return [str(done.code), done.out, key, after.out, (await etcdctl("get", "", "--prefix")).out]


async def electing(etcdctl: Etcdctl, _: Path) -> list[str]:
    async with running(etcdctl, "elect", "e", "one") as first:
        told = await lines(first, 2)
        async with running(etcdctl, "elect", "-l", "e") as listener:
            told += await lines(listener, 2)
            async with running(etcdctl, "elect", "e", "two") as second:
                first.terminate()
                told += await lines(second, 2)
                told += await lines(listener, 2)
    return told


async def mirroring(etcdctl: Etcdctl, folder: Path) -> list[str]:
    async with ours(folder / "mirror") as mirror:
        to = Etcdctl(mirror)
        await history(etcdctl)
        where = mirror.removeprefix("http://")
        async with running(etcdctl, "make-mirror", "--prefix=a", "--dest-prefix=m", where):
            async with asyncio.timeout(_WAIT_S):
                while "3" not in (await to("get", "m")).out:
                    pass
            await etcdctl("put", "ac", "4")
            await etcdctl("put", "b", "not mirrored")
            await etcdctl("del", "a")
            async with asyncio.timeout(_WAIT_S):
                while (await to("get", "m")).out:
                    pass
        return [(await to("get", "", "--prefix")).out]


async def leasing(etcdctl: Etcdctl, _: Path) -> list[str]:
    granted = await etcdctl("lease", "grant", "600")
    lease = granted.out.split()[1]
    commands: tuple[tuple[str, ...], ...] = (
        ("put", "a", "1", f"--lease={lease}"),
        ("put", "b", "1", f"--lease={lease}"),
        ("lease", "timetolive", lease),
        ("lease", "timetolive", lease, "--keys"),
        ("lease", "keep-alive", "--once", lease),
        ("lease", "list"),
        ("get", "", "--prefix", "-w", "fields"),
        ("lease", "revoke", lease),
        ("lease", "timetolive", lease),
        ("lease", "keep-alive", "--once", lease),
        ("get", "", "--prefix"),
    )
    told = [granted, *[await etcdctl(*argv) for argv in commands]]
    return [one.out + one.err for one in told]


async def looking_around(etcdctl: Etcdctl, folder: Path) -> list[str]:
    await history(etcdctl)
    told = [
        await etcdctl(*argv)
        for argv in (
            ("endpoint", "hashkv"),
            ("endpoint", "hashkv", "-w", "json"),
            ("endpoint", "health", "-w", "json"),
            ("endpoint", "health", "-w", "table"),
            ("member", "list"),
            ("member", "list", "-w", "table"),
            ("member", "update", "1234", "--peer-urls=http://127.0.0.1:9"),
            ("member", "remove", "zz"),
            ("get", "a", "--hex"),
            ("get", "a", "--consistency=s"),
            ("get", "", "--from-key", "--limit=1", "--sort-by=VALUE", "--order=DESCEND"),
            ("del", "a", "b"),
            ("compaction", "--physical", "5"),
            ("defrag",),
            ("alarm", "disarm"),
            ("txn", "--help"),
            ("snapshot", "save", str(folder / "saved")),
        )
    ]
    status = json.loads((await etcdctl("endpoint", "status", "-w", "json")).out)
    return [*(one.out + one.err for one in told), str(sorted(status[0]["Status"]["header"]))]


def plain(text: str) -> str:
    """Without what differs between any two: ids, addresses, folders, times."""
    for found, put in (
        (r"http://127\.0\.0\.1:\d+|127\.0\.0\.1:\d+", "ENDPOINT"),
        (r"(?<=, )default(?=,)|(?<=\| )default(?= +\|)", "NAME"),
        (r"\b[0-9a-f]{12,16}\b", "ID"),
        (r'"(cluster_id|member_id|raft_term|ID)":-?\d+', r'"\1":0'),
        (r'"(ClusterID|MemberID|RaftTerm|Lease)" : -?\d+', r'"\1" : 0'),
        (r"took = \S+|\"took\":\"[^\"]+\"|\d+(\.\d+)?(m|\u00b5)s", "TOOK"),
        (r"remaining\(\d+s\)", "remaining(R)"),
        (r"saved at \S+", "saved at FILE"),
        (r"(?m)^\{\"level\":\"(info|warn)\".*$\n?", ""),
        (r"\| *ID *\|", "| ID |"),
        (r"-{4,}", "----"),
        (r" {2,}", " "),
        (r"attached keys\((.*)\)", lambda m: f"attached keys({sorted(m.group(1))})"),
    ):
        text = re.sub(found, put, text)  # type: ignore[call-overload]
    return text


@pytest.mark.parametrize(
    "scene",
    [
        watching,
        watching_as_json,
        watching_by_hand,
        locking,
        electing,
        mirroring,
        leasing,
        looking_around,
    ],
)
async def test_a_scene_is_the_same_with_a_real_etcd(scene: Scene, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("of-ours", "of-real")]
    for folder in folders:
        folder.mkdir()
    async with ours(tmp_path) as ours_url, real(tmp_path) as real_url:
        told = await asyncio.gather(
            scene(Etcdctl(ours_url), folders[0]), scene(Etcdctl(real_url), folders[1])
        )
    of_us, of_etcd = ([plain(text) for text in one] for one in told)
    assert of_us == of_etcd
