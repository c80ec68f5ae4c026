"""Stock etcdctl says the same of our endpoint as of a real etcd.

Each story is a list of commands. Its text, errors and exit codes are compared side by side with
Debian's etcd where that is installed; what a story must show stands here as well, so that it
means something without.
"""

import asyncio
import contextlib
import json
import re
import sys
from pathlib import Path

import pytest

from tests.conform.etcd_endpoints import ETCD, ETCDCTL, OURS, Etcdctl, Said, ours, real, until_open
from tests.lab.cluster import free_port

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(ETCDCTL is None, reason="etcdctl is not installed (etcd-client)"),
]

Command = tuple[str, ...] | tuple[tuple[str, ...], str]

STORIES: dict[str, list[Command]] = {
    "keys": [
        ("put", "a", "1"),
        ("put", "b", "2"),
        ("put", "a", "3", "--prev-kv"),
        ("get", "a"),
        ("get", "a", "-w", "json"),
        ("get", "a", "--rev=2"),
        ("get", "", "--prefix"),
        ("get", "a", "c", "-w", "fields"),
        ("get", "--from-key", "b", "--print-value-only"),
        ("get", "", "--prefix", "--keys-only", "--order=DESCEND"),
        ("get", "", "--prefix", "--sort-by=MODIFY", "--order=ASCEND"),
        ("get", "", "--prefix", "--limit=1", "-w", "json"),
        ("get", "", "--prefix", "--count-only", "-w", "json"),
        ("get", "nothing"),
        ("del", "a", "--prev-kv"),
        ("del", "a"),
        ("del", "", "--prefix"),
        ("put", "a", "again"),
        ("get", "a", "-w", "json"),
    ],
    "refused": [
        ("get", "a", "--rev=99"),
        ("put", "a", "x", "--lease=123"),
        ("put", "a", "--ignore-value"),
        ("put", "a", "x", "--ignore-lease"),
        ("put", "", "x"),
        ("compaction", "99"),
        ("lease", "revoke", "123"),
        ("lease", "keep-alive", "--once", "123"),
        ("lease", "timetolive", "123"),
    ],
    "history": [
        ("put", "a", "1"),
        ("put", "a", "2"),
        ("put", "a", "3"),
        ("compaction", "3"),
        ("get", "a", "--rev=2"),
        ("get", "a", "--rev=3"),
        ("compaction", "3"),
        ("defrag", "--command-timeout=20s"),
    ],
    "transactions": [
        ("put", "a", "1"),
        (("txn",), 'value("a") = "1"\nmod("b") = "0"\n\nput a 2\nput b new\nget a\n\nget b\n\n'),
        (("txn",), 'version("a") > "7"\n\nput a x\n\nget a\ndel b\nget b\n\n'),
        (("txn",), 'create("a") < "1"\n\n\nput c nested\n\n'),
        (("txn",), "\nput k 1\nput k 2\n\n\n"),
        (("txn",), "\n\n\n"),
        ("get", "", "--prefix", "-w", "json"),
    ],
    "leases": [
        ("lease", "grant", "600", "-w", "json"),
        ("lease", "list"),
    ],
    "users and roles": [
        ("user", "list"),
        ("role", "list"),
        ("auth", "enable"),
        ("user", "add", "root:secret"),
        ("user", "add", "root:secret"),
        ("user", "add", "alice", "--new-user-password=wonder"),
        (("user", "add", "bob", "--interactive=false"), "builder"),
        ("user", "add", "carol", "--no-password"),
        ("user", "list"),
        ("role", "add", "root"),
        ("role", "add", "reader"),
        ("role", "add", "reader"),
        ("role", "add", "writer"),
        ("role", "list"),
        ("role", "get", "reader"),
        ("role", "get", "nothing"),
        ("role", "grant-permission", "reader", "read", "a", "c"),
        ("role", "grant-permission", "reader", "readwrite", "k"),
        ("role", "grant-permission", "reader", "read", "p", "--prefix"),
        ("role", "grant-permission", "reader", "read", "x", "--from-key"),
        ("role", "grant-permission", "reader", "read", "k"),
        ("role", "grant-permission", "nothing", "read", "k"),
        ("role", "grant-permission", "writer", "write", "w"),
        ("role", "get", "reader"),
        ("role", "get", "reader", "-w", "json"),
        ("role", "revoke-permission", "reader", "k"),
        ("role", "revoke-permission", "reader", "k"),
        ("role", "revoke-permission", "reader", "x", "--from-key"),
        ("role", "get", "writer"),
        ("user", "grant-role", "alice", "reader"),
        ("user", "grant-role", "alice", "writer"),
        ("user", "grant-role", "alice", "nothing"),
        ("user", "grant-role", "nobody", "reader"),
        ("user", "get", "alice"),
        ("user", "get", "alice", "--detail"),
        ("user", "get", "alice", "-w", "json"),
        ("user", "get", "nobody"),
        ("user", "revoke-role", "alice", "writer"),
        ("user", "revoke-role", "alice", "writer"),
        ("user", "get", "alice"),
        ("user", "delete", "bob"),
        ("user", "delete", "bob"),
        ("auth", "enable"),
        ("user", "grant-role", "root", "root"),
        ("auth", "enable"),
        ("user", "list"),
        ("user", "list", "--user=alice:wonder"),
        ("user", "list", "--user=root:secret"),
        ("user", "list", "--user=root:wrong"),
        ("get", "a"),
        ("put", "a", "1", "--user=alice:wonder"),
        ("put", "a", "1", "--user=root:secret"),
        ("get", "a", "--user=alice:wonder"),
        ("get", "a", "c", "--user=alice:wonder"),
        ("get", "a", "d", "--user=alice:wonder"),
        ("del", "a", "--user=alice:wonder"),
        ("user", "get", "alice", "--user=alice:wonder"),
        ("user", "get", "root", "--user=alice:wonder"),
        ("role", "get", "reader", "--user=alice:wonder"),
        ("role", "get", "writer", "--user=alice:wonder"),
        ("user", "delete", "root", "--user=root:secret"),
        ("user", "revoke-role", "root", "root", "--user=root:secret"),
        ("role", "delete", "root", "--user=root:secret"),
        ("role", "delete", "reader", "--user=root:secret"),
        ("get", "a", "--user=alice:wonder"),
        (
            ("user", "passwd", "alice", "--interactive=false", "--user=root:secret"),
            "glass",
        ),
        ("get", "a", "--user=alice:wonder"),
        ("auth", "disable", "--user=alice:glass"),
        ("auth", "disable", "--user=root:secret"),
        ("get", "a"),
        ("auth", "disable"),
    ],
    "the member": [
        ("endpoint", "health"),
        ("alarm", "list"),
        ("member", "remove", "1234"),
        ("member", "promote", "1234"),
        ("move-leader", "1234"),
    ],
}


def _split(command: Command) -> tuple[tuple[str, ...], str]:
    if isinstance(command[0], tuple):
        return command[0], str(command[1])
    return tuple(str(part) for part in command), ""


def _comparable(said: Said) -> Said:
    """Leave out what differs between any two clusters: ids, addresses, times."""

    def plain(text: str) -> str:
        for found, put in (
            (r'"(cluster_id|member_id|raft_term|ID)":-?\d+', r'"\1":0'),
            (r'^"(ClusterID|MemberID|RaftTerm)" : \d+', r'"\1" : 0'),
            (r"(http://)?127\.0\.0\.1:\d+", "ENDPOINT"),
            (r"took = \S+", "took = T"),
            (r"memberID:\d+", "memberID:M"),
            (r"^[0-9a-f]{16}$", "LEASE"),
            (r"[0-9a-f]{15,16}(?= |$)", "ID"),
        ):
            text = re.sub(found, put, text, flags=re.MULTILINE)
        return text

    return Said(said.code, plain(said.out), plain(said.err))


async def _tell(url: str, story: list[Command]) -> list[tuple[str, Said]]:
    etcdctl = Etcdctl(url)
    told = []
    for command in story:
        argv, stdin = _split(command)
        told.append((" ".join(argv), _comparable(await etcdctl(*argv, stdin=stdin))))
    return told


@pytest.mark.skipif(ETCD is None, reason="no real etcd to compare with (etcd-server)")
@pytest.mark.parametrize("name", STORIES)
async def test_the_same_is_said_as_of_a_real_etcd(name: str, tmp_path: Path) -> None:
    async with ours(tmp_path) as ours_url, real(tmp_path) as real_url:
        story = STORIES[name]
        told = await asyncio.gather(_tell(ours_url, story), _tell(real_url, story))
    for (command, of_us), (_, of_etcd) in zip(*told, strict=True):
        assert (command, of_us) == (command, of_etcd)


@pytest.mark.skipif(ETCD is None, reason="no real etcd to compare with (etcd-server)")
async def test_a_full_quota_is_told_as_by_a_real_etcd(tmp_path: Path) -> None:
    quota = 4 << 20
    story: list[Command] = [
        ("put", "b", "2"),
        ("get", "a", "--keys-only"),
        ("lease", "grant", "60"),
        ("alarm", "list"),
        ("endpoint", "health"),
        (("txn",), 'version("a") = "0"\n\nput a 1\n\nget b\n\n'),
        (("txn",), "\ndel b\n\n\n"),
        ("del", "a"),
        ("alarm", "disarm"),
        ("alarm", "disarm"),
        ("alarm", "list"),
    ]

    async def fill_and_tell(url: str) -> list[tuple[str, Said]]:
        for _ in range(40):  # a real one notices when it has written its file
            said = await Etcdctl(url)("put", "a", stdin="x" * 700_000)
            if said.code:
                break
        return [("put a", _comparable(said)), *await _tell(url, story)]

    async with (
        ours(tmp_path, quota) as ours_url,
        real(tmp_path, f"--quota-backend-bytes={quota}") as real_url,
    ):
        told = await asyncio.gather(fill_and_tell(ours_url), fill_and_tell(real_url))
    for (command, of_us), (_, of_etcd) in zip(*told, strict=True):
        assert (command, of_us) == (command, of_etcd)
    assert "etcdserver: mvcc: database space exceeded" in told[0][0][1].err


async def test_a_lease_takes_its_keys_along(tmp_path: Path) -> None:
    async with ours(tmp_path) as url:
        etcdctl = Etcdctl(url)
        granted = await etcdctl("lease", "grant", "600", "-w", "json")
        lease = f"{json.loads(granted.out)['ID']:x}"
        await etcdctl("put", "a", "1", f"--lease={lease}")
        left = await etcdctl("lease", "timetolive", lease, "--keys")
        assert left.out.startswith(f"lease {lease.zfill(16)} granted with TTL(600s), remaining(")
        assert left.out.endswith("attached keys([a])\n")
        renewed = await etcdctl("lease", "keep-alive", "--once", lease)
        assert renewed.out == f"lease {lease.zfill(16)} keepalived with TTL(600)\n"
        assert (await etcdctl("lease", "revoke", lease)).code == 0
        assert (await etcdctl("get", "a")).out == ""


async def test_a_watch_tells_the_past_then_the_present(tmp_path: Path) -> None:
    async with ours(tmp_path) as url:
        etcdctl = Etcdctl(url)
        for value in ("1", "2"):
            await etcdctl("put", "a", value)
        watch = await etcdctl.start("watch", "--rev=2", "--prev-kv", "--prefix", "a")
        assert watch.stdout is not None

        async def lines(count: int) -> list[str]:
            assert watch.stdout is not None
            return [(await watch.stdout.readline()).decode().strip() for _ in range(count)]

        try:
            async with asyncio.timeout(10):
                assert await lines(8) == ["PUT", "a", "1", "PUT", "a", "1", "a", "2"]
                await etcdctl("del", "a")
                assert await lines(5) == ["DELETE", "a", "2", "a", ""]
        finally:
            watch.kill()
            await watch.communicate()


async def test_a_watch_of_what_is_compacted_ends_with_the_revision(tmp_path: Path) -> None:
    async with ours(tmp_path) as url:
        etcdctl = Etcdctl(url)
        for value in ("1", "2", "3"):
            await etcdctl("put", "a", value)
        await etcdctl("compaction", "4")
        said = await etcdctl("watch", "--rev=2", "a")
        assert "required revision has been compacted" in said.err + said.out
        assert said.code != 0 or "watch was canceled" in said.out + said.err


async def test_locks_and_elections_are_held_one_after_the_other(tmp_path: Path) -> None:
    async with ours(tmp_path) as url:
        etcdctl = Etcdctl(url)
        first = await etcdctl.start("lock", "resource")
        assert first.stdout is not None
        key = (await first.stdout.readline()).decode().strip()
        assert key.startswith("resource/")
        second = asyncio.create_task(etcdctl("lock", "resource", "echo", "mine"))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(second), 0.3)
        assert not second.done()
        first.terminate()
        await first.communicate()
        assert (await second).out == "mine\n"


async def test_a_status_that_kubernetes_can_read(tmp_path: Path) -> None:
    async with ours(tmp_path) as url:
        status = json.loads((await Etcdctl(url)("endpoint", "status", "-w", "json")).out)
    answer = status[0]["Status"]
    assert answer["version"].startswith("3.6.")
    assert answer["leader"] == answer["header"]["member_id"] == OURS.member_id
    assert answer["dbSize"] > 0


async def test_what_was_acknowledged_outlives_a_kill_and_watches_go_on(tmp_path: Path) -> None:
    port = free_port()
    argv = (
        "store",
        "--data-dir",
        str(tmp_path),
        "--listen-client-urls",
        f"http://127.0.0.1:{port}",
    )
    etcdctl = Etcdctl(f"http://127.0.0.1:{port}")

    async def start() -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "appliance", *argv, stderr=asyncio.subprocess.DEVNULL
        )
        await until_open(etcdctl.url)
        return process

    server = await start()
    try:
        assert (await etcdctl("put", "a", "1")).out == "OK\n"
        watch = await etcdctl.start("watch", "a")
        assert watch.stdout is not None
        heard = asyncio.create_task(watch.stdout.readline())
        while not heard.done():  # a watch shows no sign of life: write until it has heard
            await etcdctl("put", "a", "2")
            await asyncio.wait([heard], timeout=0.2)
        server.kill()
        await server.wait()
        server = await start()
        assert (await etcdctl("get", "a", "--print-value-only")).out == "2\n"
        await etcdctl("put", "a", "after")
        async with asyncio.timeout(20):
            while (await watch.stdout.readline()) != b"after\n":
                pass
        watch.kill()
        await watch.communicate()
    finally:
        server.terminate()
        assert await server.wait() == 0
