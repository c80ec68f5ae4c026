"""What every container engine promises (`appliance/node/runtimes/base.py`)."""

import asyncio
import contextlib
import secrets
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from appliance.kit.clock import SystemClock
from appliance.node.runtimes.base import (
    ContainerSpec,
    CreateFailed,
    ImageMissing,
    Limits,
    LogOptions,
    Mount,
    NotThere,
    PullFailed,
    Runtime,
    Security,
    StartFailed,
    State,
    Unreachable,
)
from appliance.node.runtimes.detect import open_runtime
from tests.contract.engines import COMPLAINED, DEAF, FAILING, SAID, SLEEPER, Engine, open_engine

REAL = [
    pytest.param("docker", marks=pytest.mark.docker),
    pytest.param("podman", marks=pytest.mark.podman),
]
pytestmark = pytest.mark.asyncio(loop_scope="module")

Make = Callable[..., ContainerSpec]


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["fake", *REAL])
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[Engine]:
    async with open_engine(request.param) as opened:
        yield opened


@pytest.fixture
def runtime(engine: Engine) -> Runtime:
    return engine.runtime


@pytest.fixture
def real(engine: Engine) -> Runtime:
    """An engine whose containers are processes."""
    if not engine.real:
        pytest.skip("the fake runs no processes")
    return engine.runtime


@pytest.fixture
def marks() -> dict[str, str]:
    return {"appliance.test": f"apl-{secrets.token_hex(6)}", "appliance.other": "x=y z"}


@pytest_asyncio.fixture(loop_scope="module")
async def make(runtime: Runtime, marks: dict[str, str]) -> AsyncIterator[Make]:
    """Specs with names of this test's own; whatever was made of them goes afterwards."""

    def build(image: str = SLEEPER, **settings: object) -> ContainerSpec:
        name = f"{marks['appliance.test']}-{secrets.token_hex(3)}"
        return replace(ContainerSpec(name=name, image=image, marks=marks), **settings)

    yield build
    for left in sorted(await runtime.list(marks), key=lambda c: -c.created_at):
        await runtime.remove(left.id)


async def started(runtime: Runtime, spec: ContainerSpec) -> str:
    container_id = await runtime.create(spec)
    await runtime.start(container_id)
    return container_id


async def ended(runtime: Runtime, container_id: str) -> int:
    """Wait for the end by reading the log, which ends with the container; give its exit code."""
    async with asyncio.timeout(20):
        async for _ in runtime.logs(container_id, LogOptions(follow=True)):
            pass
        seen = await runtime.inspect(container_id)
        while seen.state is not State.EXITED:  # the log may end a moment before the state changes
            seen = await runtime.inspect(container_id)
    return seen.exit_code


async def output(runtime: Runtime, container_id: str, options: LogOptions | None = None) -> str:
    chunks = runtime.logs(container_id, options or LogOptions(follow=True))
    async with asyncio.timeout(20):
        return b"".join([chunk.data async for chunk in chunks]).decode()


async def run(runtime: Runtime, spec: ContainerSpec) -> str:
    """Run to the end and give the output."""
    return await output(runtime, await started(runtime, spec))


def read(path: str) -> str:
    return Path(path).read_text()


def namespace(pid: int | str, kind: str) -> Path:
    return Path(f"/proc/{pid}/ns/{kind}").readlink()


# the life of a container


async def test_a_container_lives_from_create_to_remove(runtime: Runtime, make: Make) -> None:
    before = SystemClock().wall()
    spec = make()
    container_id = await runtime.create(spec)
    made = await runtime.inspect(container_id)
    assert (made.id, made.name, made.image) == (container_id, spec.name, SLEEPER)
    assert (made.state, made.pid, made.started_at) == (State.CREATED, 0, 0.0)
    assert made.created_at == pytest.approx(before, abs=5)

    await runtime.start(container_id)
    running = await runtime.inspect(container_id)
    assert running.state is State.RUNNING
    assert running.pid > 0
    assert running.finished_at == 0.0
    assert running.started_at >= made.created_at

    await runtime.stop(container_id, 10)
    dead = await runtime.inspect(container_id)
    assert (dead.state, dead.pid, dead.exit_code) == (State.EXITED, 0, 143)
    assert not dead.oom_killed
    assert dead.finished_at >= dead.started_at

    await runtime.remove(container_id)
    with pytest.raises(NotThere):
        await runtime.inspect(container_id)


async def test_containers_are_found_by_their_marks(
    runtime: Runtime, make: Make, marks: dict[str, str]
) -> None:
    first = await runtime.create(make())
    second = await started(runtime, make(FAILING))
    other = await runtime.create(make(marks={**marks, "appliance.more": "yes"}))
    await ended(runtime, second)

    assert {c.id for c in await runtime.list(marks)} == {first, second, other}
    assert [c.id for c in await runtime.list({**marks, "appliance.more": "yes"})] == [other]
    assert not await runtime.list({**marks, "appliance.more": "no"})
    found = {c.id: c for c in await runtime.list(marks)}
    assert (found[second].state, found[second].exit_code) == (State.EXITED, 3)
    assert marks.items() <= found[second].marks.items()


async def test_the_list_tells_what_a_look_at_each_tells(
    runtime: Runtime, make: Make, marks: dict[str, str]
) -> None:
    ids = [await started(runtime, make()), await runtime.create(make())]
    ids.append(await started(runtime, make(FAILING)))
    await ended(runtime, ids[2])
    for listed in await runtime.list(marks):
        looked = await runtime.inspect(listed.id)
        # Podman's list knows the second of a start, its inspect the nanosecond.
        assert int(listed.started_at) == int(looked.started_at)
        assert listed == replace(looked, started_at=listed.started_at)


async def test_another_connection_finds_them_too(
    engine: Engine, real: Runtime, make: Make, marks: dict[str, str]
) -> None:
    container_id = await started(real, make())
    again = await open_runtime(engine.name, "", SystemClock())
    try:
        assert [c.id for c in await again.list(marks)] == [container_id]
    finally:
        await again.close()


async def test_stop_kills_what_does_not_listen_when_the_grace_is_over(
    runtime: Runtime, make: Make
) -> None:
    container_id = await started(runtime, make(DEAF))
    begun = SystemClock().monotonic()
    await runtime.stop(container_id, 1)

    assert 0.9 < SystemClock().monotonic() - begun < 5
    assert (await runtime.inspect(container_id)).exit_code == 137


async def test_stopping_what_has_stopped_is_fine(runtime: Runtime, make: Make) -> None:
    container_id = await started(runtime, make(FAILING))
    await ended(runtime, container_id)
    await runtime.stop(container_id, 1)
    await runtime.kill(container_id)

    assert (await runtime.inspect(container_id)).exit_code == 3


async def test_starting_what_runs_is_fine(runtime: Runtime, make: Make) -> None:
    container_id = await started(runtime, make())
    pid = (await runtime.inspect(container_id)).pid
    await runtime.start(container_id)
    assert (await runtime.inspect(container_id)).pid == pid


async def test_kill_sends_the_signal(runtime: Runtime, make: Make) -> None:
    container_id = await started(runtime, make())
    await runtime.kill(container_id, "SIGKILL")
    assert await ended(runtime, container_id) == 137


async def test_removing_what_is_gone_is_fine_and_what_runs_too(
    runtime: Runtime, make: Make
) -> None:
    container_id = await started(runtime, make(DEAF))
    await runtime.remove(container_id)
    await runtime.remove(container_id)


async def test_a_pods_containers_can_all_be_removed_at_once(
    runtime: Runtime, make: Make, marks: dict[str, str]
) -> None:
    sandbox = await started(runtime, make(DEAF))
    joined = [await started(runtime, make(network=f"container:{sandbox}")) for _ in range(2)]
    await asyncio.gather(*(runtime.remove(one) for one in (sandbox, *joined)))
    assert not await runtime.list(marks)


async def test_missing_containers_are_said_to_be_missing(runtime: Runtime) -> None:
    nobody = "0" * 64
    calls = [
        runtime.start(nobody),
        runtime.stop(nobody, 1),
        runtime.kill(nobody),
        runtime.inspect(nobody),
        runtime.exec(nobody, ["true"], 1),
        output(runtime, nobody),
    ]
    for call in calls:
        with pytest.raises(NotThere):
            await call


async def test_an_image_that_is_not_here_is_said_to_be_missing(
    runtime: Runtime, make: Make
) -> None:
    with pytest.raises(ImageMissing):
        await runtime.create(make("appliance.local/nowhere:1"))


async def test_a_name_in_use_is_refused(runtime: Runtime, make: Make) -> None:
    spec = make()
    await runtime.create(spec)
    with pytest.raises(CreateFailed, match="in use"):
        await runtime.create(spec)


# events


async def test_events_tell_of_start_death_and_removal(
    runtime: Runtime, make: Make, marks: dict[str, str]
) -> None:
    stranger = await runtime.create(make(marks={"appliance.test": f"{marks['appliance.test']}-no"}))
    mine = await runtime.create(make())
    seen = runtime.events(marks)
    waiting = asyncio.ensure_future(anext(seen))
    await asyncio.sleep(0)
    try:
        await runtime.start(stranger)
        for happen in (
            runtime.start(mine),
            runtime.kill(mine),
            runtime.remove(mine),
        ):
            await happen
            async with asyncio.timeout(10):
                assert await waiting == mine
            waiting = asyncio.ensure_future(anext(seen))
    finally:
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting
        await seen.aclose()
        await runtime.remove(stranger)


async def test_events_between_the_call_and_the_first_read_are_not_lost(
    real: Runtime, make: Make, marks: dict[str, str]
) -> None:
    seen = real.events(marks)
    container_id = await started(real, make())
    async with asyncio.timeout(10):
        assert await anext(seen) == container_id
    await seen.aclose()


# logs


async def test_a_log_keeps_its_streams_apart(real: Runtime, make: Make) -> None:
    container_id = await started(real, make())
    await real.exec(container_id, ["true"], 10)
    chunks: dict[str, bytes] = {"stdout": b"", "stderr": b""}
    follow = real.logs(container_id, LogOptions(follow=True))
    async with asyncio.timeout(10):
        while not (chunks["stdout"] and chunks["stderr"]):
            chunk = await anext(follow)
            chunks[chunk.stream] += chunk.data
    await follow.aclose()
    assert chunks == {"stdout": f"{SAID}\n".encode(), "stderr": f"{COMPLAINED}\n".encode()}

    only = LogOptions(stdout=False)
    assert await output(real, container_id, only) == f"{COMPLAINED}\n"


async def test_a_followed_log_ends_with_its_container(runtime: Runtime, make: Make) -> None:
    container_id = await started(runtime, make())
    reading = asyncio.ensure_future(output(runtime, container_id))
    await runtime.stop(container_id, 5)
    async with asyncio.timeout(10):
        await reading


async def test_tail_and_timestamps_choose_lines(real: Runtime, make: Make) -> None:
    container_id = await started(
        real, make(command=("sh", "-c", "for i in 1 2 3; do echo $i; done"))
    )
    assert await output(real, container_id) == "1\n2\n3\n"
    assert await output(real, container_id, LogOptions(tail_lines=2)) == "2\n3\n"
    assert await output(real, container_id, LogOptions(tail_lines=0)) == ""
    (line,) = (
        await output(real, container_id, LogOptions(tail_lines=1, timestamps=True))
    ).splitlines()
    stamp, _, text = line.partition(" ")
    assert (stamp[:2], stamp[10], text) == ("20", "T", "3")
    later = LogOptions(since=SystemClock().wall() + 60)
    assert await output(real, container_id, later) == ""


async def test_a_cancelled_reader_leaves_no_thread_behind(
    real: Runtime, make: Make, marks: dict[str, str]
) -> None:
    container_id = await started(real, make(DEAF))
    await asyncio.gather(*(real.inspect(container_id) for _ in range(20)))  # all of the pool
    before = threading.active_count()

    async def read_log() -> None:
        async for _ in real.logs(container_id, LogOptions(follow=True)):
            pass

    async def read_events() -> None:
        async for _ in real.events(marks):
            pass

    readers = [asyncio.ensure_future(work()) for work in (read_log, read_events) for _ in range(5)]
    await asyncio.sleep(0.1)
    for reader in readers:
        reader.cancel()
    async with asyncio.timeout(5):
        await asyncio.gather(*readers, return_exceptions=True)
    assert all(reader.cancelled() for reader in readers)
    assert threading.active_count() == before


# what runs in a container


async def test_command_arguments_and_environment_are_the_specs(real: Runtime, make: Make) -> None:
    script = 'echo "$0 $1 $NAME $FROM_IMAGE"; pwd; hostname; id -u'
    spec = make(
        command=("/bin/sh", "-c"),
        args=(script, "zero", "one"),
        env=(("NAME", "va=l ue"),),
        working_dir="/tmp",
        hostname="pod-7",
        security=Security(user="1234"),
    )
    assert await run(real, spec) == "zero one va=l ue yes\n/tmp\npod-7\n1234\n"


async def test_a_command_without_arguments_drops_the_images(real: Runtime, make: Make) -> None:
    assert await run(real, make(command=("/bin/echo",))) == "\n"


async def test_a_command_that_is_not_there_fails_at_start(real: Runtime, make: Make) -> None:
    spec = make(command=("/no/such",))
    with pytest.raises((StartFailed, CreateFailed), match="no such file"):
        await started(real, spec)


async def test_mounts_show_host_files(real: Runtime, make: Make, tmp_path: Path) -> None:
    (tmp_path / "in").write_text("from the host\n")
    spec = make(
        command=(
            "sh",
            "-c",
            "cat /data/in; echo back > /data/out; echo no > /ro/x || echo refused",
        ),
        mounts=(Mount(str(tmp_path), "/data"), Mount(str(tmp_path), "/ro", read_only=True)),
    )
    said = await run(real, spec)
    # stdout and stderr are two streams: their lines may come in any order, even joined
    assert "from the host" in said
    assert "refused" in said
    assert (tmp_path / "out").read_text() == "back\n"
    assert not (tmp_path / "x").exists()


async def test_a_joined_container_shares_the_sandboxs_namespaces(real: Runtime, make: Make) -> None:
    sandbox = await started(real, make(hostname="the-pod"))
    pid = (await real.inspect(sandbox)).pid
    shared = make(network=f"container:{sandbox}", ipc=f"container:{sandbox}", hostname="ignored")
    joined_id = await started(real, shared)
    joined = (await real.inspect(joined_id)).pid
    assert (await real.exec(joined_id, ["hostname"], 10)).output == b"the-pod\n"

    for kind in ("net", "ipc"):
        assert namespace(pid, kind) == namespace(joined, kind)
    assert namespace(pid, "pid") != namespace(joined, "pid")
    assert namespace(pid, "net") != namespace("self", "net")


async def test_a_container_on_the_host_network_is_in_the_hosts(real: Runtime, make: Make) -> None:
    pid = (await real.inspect(await started(real, make(network="host")))).pid
    assert namespace(pid, "net") == namespace("self", "net")


async def test_limits_are_the_cgroups(real: Runtime, make: Make) -> None:
    limits = Limits(cpu_shares=102, memory_bytes=64 << 20, pids=40, oom_score_adj=900)
    container_id = await started(real, make(limits=limits))
    pid = (await real.inspect(container_id)).pid
    assert read(f"/proc/{pid}/oom_score_adj").strip() == "900"
    groups = dict(line.split(":")[1:] for line in read(f"/proc/{pid}/cgroup").splitlines())
    if "memory" not in groups:
        pytest.skip("cgroup v2: other file names")
    memory = read(f"/sys/fs/cgroup/memory{groups['memory']}/memory.limit_in_bytes")
    assert int(memory) == 64 << 20
    assert read(f"/sys/fs/cgroup/pids{groups['pids']}/pids.max").strip() == "40"


async def test_a_container_over_its_memory_is_said_to_be(real: Runtime, make: Make) -> None:
    engine = await real.fingerprint()
    if (engine.engine, engine.version[:4]) == ("podman", "4.3."):
        pytest.skip("Podman 4.3 looks for conmon's note where conmon 2.1 does not leave it")
    hungry = make(command=("sh", "-c", "tail /dev/zero"), limits=Limits(memory_bytes=16 << 20))
    container_id = await started(real, hungry)
    assert await ended(real, container_id) == 137
    assert (await real.inspect(container_id)).oom_killed


async def test_a_protected_sandbox_starts_everywhere(real: Runtime, make: Make) -> None:
    """Where the engine may not lower the score, the wish is left out and the pod runs."""
    container_id = await started(real, make(limits=Limits(oom_score_adj=-998)))
    assert (await real.inspect(container_id)).state is State.RUNNING


async def test_security_settings_reach_the_process(real: Runtime, make: Make) -> None:
    security = Security(
        user="7:8",
        groups=("99",),
        drop_capabilities=("ALL",),
        no_new_privileges=True,
        read_only_root=True,
    )
    pid = (await real.inspect(await started(real, make(security=security)))).pid
    status = dict(line.split(":\t", 1) for line in read(f"/proc/{pid}/status").splitlines())
    assert status["Uid"].split() == ["7"] * 4
    assert status["Gid"].split() == ["8"] * 4
    assert "99" in status["Groups"].split()
    assert int(status["CapBnd"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    root = next(
        line.split() for line in read(f"/proc/{pid}/mounts").splitlines() if line.split()[1] == "/"
    )
    assert "ro" in root[3].split(",")


# exec


async def test_exec_gives_output_and_exit_code(real: Runtime, make: Make) -> None:
    container_id = await started(real, make())
    result = await real.exec(container_id, ["sh", "-c", "echo out; echo err >&2; exit 7"], 10)
    assert result.exit_code == 7
    assert sorted(result.output.decode().split()) == ["err", "out"]


async def test_exec_that_takes_too_long_is_ended(real: Runtime, make: Make) -> None:
    container_id = await started(real, make())
    with pytest.raises(TimeoutError):
        await real.exec(container_id, ["sh", "-c", "echo $$ > /tmp/p; exec sleep 30"], 0.5)
    look = ["sh", "-c", 'while [ -d "/proc/$(cat /tmp/p)" ]; do sleep 0.05; done; echo gone']
    assert (await real.exec(container_id, look, 5)).output == b"gone\n"


async def test_exec_waits_for_a_command_that_closed_its_output(real: Runtime, make: Make) -> None:
    container_id = await started(real, make())
    quiet = ["sh", "-c", "exec >/dev/null 2>&1; sleep 0.3; exit 9"]
    assert (await real.exec(container_id, quiet, 10)).exit_code == 9


async def test_exec_output_is_bounded(real: Runtime, make: Make) -> None:
    container_id = await started(real, make())
    flood = ["sh", "-c", "yes | dd bs=1024 count=3072 iflag=fullblock"]
    result = await real.exec(container_id, flood, 20)
    assert result.exit_code == 0
    assert len(result.output) == 1 << 20


async def test_a_command_that_is_not_there_has_an_exit_code_that_says_so(
    real: Runtime, make: Make
) -> None:
    container_id = await started(real, make())
    assert (await real.exec(container_id, ["/no/such"], 10)).exit_code in {126, 127}


# images


async def test_what_a_container_wrote_is_counted(real: Runtime, make: Make) -> None:
    script = "dd if=/dev/zero of=/big bs=1M count=5 2>/dev/null; echo done; sleep 60"
    container_id = await started(real, make(command=("sh", "-c", script)))
    async for chunk in real.logs(container_id, LogOptions(follow=True)):
        if b"done" in chunk.data:
            break
    spec = make()
    assert (await real.disk_usage(spec.marks))[container_id] >= 5 << 20


async def test_images_are_found_by_name_and_id(runtime: Runtime) -> None:
    found = await runtime.image(SLEEPER)
    assert found is not None
    assert SLEEPER in found.names
    assert await runtime.image("appliance.local/nowhere:1") is None
    by_id = await runtime.image(found.id)
    assert by_id is not None
    assert by_id.id == found.id
    assert found.id in {image.id for image in await runtime.images()}


async def test_an_image_that_no_registry_has_can_not_be_pulled(runtime: Runtime) -> None:
    with pytest.raises(PullFailed):
        await runtime.pull("localhost:1/nowhere:1")


# the engine


async def test_the_fingerprint_names_the_engine(engine: Engine) -> None:
    fingerprint = await engine.runtime.fingerprint()
    assert fingerprint.engine == engine.name
    assert fingerprint.version


@pytest.mark.parametrize("kind", ["docker", "podman"])
async def test_an_engine_that_is_not_there_is_unreachable(kind: str, tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="scripts/engine"):
        await open_runtime(kind, f"unix://{tmp_path}/no.sock", SystemClock())
