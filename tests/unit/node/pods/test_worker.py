"""The life of pods on a node in memory: state of the world, not calls."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from appliance.api.kinds.core.configmap import ConfigMap
from appliance.api.kinds.core.pod.container import EnvVar, EnvVarSource
from appliance.api.kinds.core.pod.handlers import ExecAction, Lifecycle, LifecycleHandler, Probe
from appliance.api.kinds.core.pod.volumes import (
    DownwardAPIVolumeFile,
    DownwardAPIVolumeSource,
    Volume,
)
from appliance.api.kinds.core.references import ConfigMapKeySelector, ObjectFieldSelector
from appliance.node.runtimes import marks
from appliance.node.runtimes.base import (
    Container,
    CreateFailed,
    ExecResult,
    StartFailed,
    State,
    Unreachable,
)
from tests.unit.node.stage import Stage, going, pod, true_conditions, wish


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


async def test_a_pod_lives_and_goes(stage: Stage) -> None:
    async with stage.workers() as workers:
        workers.wish([pod()])
        await stage.settle()
        web = await stage.running("web")
        sandbox = await stage.running("POD")
        assert web.marks[marks.POD_NAME] == "p"
        assert stage.runtime.specs[web.id].network == f"container:{sandbox.id}"
        status = stage.status()
        assert status.phase == "Running"
        assert status.podIP == stage.network.attached["u1"]
        assert status.hostIP == "192.0.2.1"
        assert true_conditions(status) == {
            "PodReadyToStartContainers",
            "Initialized",
            "Ready",
            "ContainersReady",
            "PodScheduled",
        }
        assert stage.container().containerID == f"fake://{web.id}"
        assert stage.notes.reasons == ["Pulled", "Created", "Started"]

        workers.wish([going(pod(), stage.clock.wall())])
        await workers.wait_idle()
        assert await stage.all() == []
        assert stage.network.attached == {}
        assert stage.heard.deleted == ["u1"]
        assert stage.notes.reasons[-1] == "Killing"
        assert not (stage.data_dir / "pods" / "u1").exists()


async def test_two_containers_share_the_sandbox(stage: Stage) -> None:
    async with stage.workers() as workers:
        workers.wish([pod(wish("a"), wish("b"))])
        await stage.settle()
        sandbox = await stage.running("POD")
        for name in ("a", "b"):
            spec = stage.runtime.specs[(await stage.running(name)).id]
            assert (spec.network, spec.ipc) == (f"container:{sandbox.id}",) * 2
        assert stage.runtime.specs[sandbox.id].hostname == "p"


async def test_a_container_that_ends_is_made_again(stage: Stage) -> None:
    async with stage.workers() as workers:
        workers.wish([pod()])
        await stage.settle()
        first = await stage.running("web")
        stage.runtime.finish(first.id, 1)
        await stage.settle()
        second = await stage.running("web")
        assert second.id != first.id
        assert stage.container().restartCount == 1
        ended = stage.container().lastState.terminated
        assert ended is not None
        assert (ended.exitCode, ended.reason) == (1, "Error")


async def test_quick_ends_are_held_back_longer_each_time(stage: Stage) -> None:
    async with stage.workers() as workers:
        workers.wish([pod()])
        await stage.settle()
        stage.runtime.finish((await stage.running("web")).id, 1)
        await stage.settle()
        for pause in (10, 20, 40):
            stage.runtime.finish((await stage.running("web")).id, 1)
            await stage.settle()
            waiting = stage.container().state.waiting
            assert waiting is not None
            assert waiting.reason == "CrashLoopBackOff"
            assert f"back-off {pause}s" in waiting.message
            await stage.settle(pause - 1)
            assert stage.container().state.running is None
            await stage.settle(1)
            assert stage.container().state.running is not None
        assert stage.container().restartCount == 4
        assert stage.status().phase == "Running"
        assert stage.notes.reasons.count("BackOff") == 3


async def test_a_container_removed_behind_our_back_comes_back(stage: Stage) -> None:
    async with stage.workers() as workers:
        workers.wish([pod()])
        await stage.settle()
        stage.runtime.vanish((await stage.running("web")).id)
        await stage.settle()
        await stage.running("web")
        assert stage.container().restartCount == 1


async def test_a_dead_sandbox_takes_all_containers_with_it(stage: Stage) -> None:
    async with stage.workers() as workers:
        workers.wish([pod(wish("a"), wish("b"))])
        await stage.settle()
        before = {c.id for c in await stage.all()}
        address = stage.status().podIP
        stage.runtime.vanish((await stage.running("POD")).id)
        await stage.settle()
        for name in ("POD", "a", "b"):
            assert (await stage.running(name)).id not in before
        assert stage.status().podIP != address
        assert stage.status().phase == "Running"
        assert stage.container("a").restartCount == 1
        assert "SandboxChanged" in stage.notes.reasons


async def test_a_new_image_re_creates_that_container_only(stage: Stage) -> None:
    stage.runtime.add_image("web:2")
    async with stage.workers() as workers:
        workers.wish([pod(wish("a"), wish("b"))])
        await stage.settle()
        a, b = await stage.running("a"), await stage.running("b")
        workers.wish([pod(wish("a", "web:2"), wish("b"))])
        await stage.settle()
        assert (await stage.running("a")).image == "web:2"
        assert (await stage.running("a")).id != a.id
        assert (await stage.running("b")).id == b.id


async def test_an_end_that_is_told_while_somebody_looks_is_not_lost(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container ends between the engine's answer and the worker that reads it."""
    ended: list[str] = []
    look = stage.runtime.list

    async def slow(wanted: Mapping[str, str]) -> Sequence[Container]:
        found = await look(wanted)
        for one in found:
            fresh = one.marks[marks.CONTAINER_NAME] == "web" and one.state is State.RUNNING
            if fresh and not ended:
                ended.append(one.id)
                stage.runtime.finish(one.id, 0)
                for _ in range(20):  # the word of its end arrives
                    await asyncio.sleep(0)
        return found

    monkeypatch.setattr(stage.runtime, "list", slow)
    async with stage.workers() as workers:
        workers.wish([pod(restartPolicy="Never")])
        await stage.settle()
        assert ended
        assert stage.status().phase == "Succeeded"


async def test_changed_labels_reach_a_volume_at_once(stage: Stage) -> None:
    label = DownwardAPIVolumeFile(
        path="labels", fieldRef=ObjectFieldSelector(fieldPath="metadata.labels")
    )
    volumes = [Volume(name="v", downwardAPI=DownwardAPIVolumeSource(items=[label]))]
    async with stage.workers() as workers:
        workers.wish([pod(volumes=volumes)])
        await stage.settle()
        changed = pod(volumes=volumes)
        changed.metadata.labels = {"fresh": "yes"}
        workers.wish([changed])
        await stage.settle()
    (file,) = [p for p in stage.data_dir.rglob("labels") if p.is_symlink()]
    assert file.read_text() == 'fresh="yes"'


async def test_an_agent_that_comes_back_adopts_what_runs(stage: Stage) -> None:
    async with stage.workers() as workers:
        workers.wish([pod()])
        await stage.settle()
        stage.runtime.finish((await stage.running("web")).id, 1)
        await stage.settle()
    before = {c.id: c.state for c in await stage.all()}
    again = pod()
    again.status = stage.status()
    stage.heard.status.clear()
    async with stage.workers() as workers:
        workers.wish([again])
        await workers.sweep()
        await stage.settle()
        assert {c.id: c.state for c in await stage.all()} == before
        stage.runtime.finish((await stage.running("web")).id, 1)
        await stage.settle()
        assert stage.container().restartCount == 1
        waiting = stage.container().state.waiting
        assert waiting is not None
        assert waiting.reason == "CrashLoopBackOff"


async def test_containers_of_a_forgotten_pod_are_swept_away(stage: Stage) -> None:
    async with stage.workers() as workers:
        workers.wish([pod(), pod(name="q", uid="u2")])
        await stage.settle()
    async with stage.workers() as workers:
        workers.wish([pod(name="q", uid="u2")])
        await workers.sweep()
        await stage.settle()
        assert {c.marks[marks.POD_UID] for c in await stage.all()} == {"u2"}
        assert stage.heard.deleted == []


@pytest.mark.parametrize(
    ("policy", "code", "phase", "restarts"),
    [
        ("Always", 0, "Running", 1),
        ("OnFailure", 0, "Succeeded", 0),
        ("OnFailure", 1, "Running", 1),
        ("Never", 0, "Succeeded", 0),
        ("Never", 1, "Failed", 0),
    ],
)
async def test_restart_policies(
    stage: Stage, policy: str, code: int, phase: str, restarts: int
) -> None:
    async with stage.workers() as workers:
        workers.wish([pod(restartPolicy=policy)])
        await stage.settle()
        stage.runtime.finish((await stage.running("web")).id, code)
        await stage.settle()
        assert stage.status().phase == phase
        assert stage.container().restartCount == restarts
        finished = phase in {"Succeeded", "Failed"}
        assert (stage.network.attached == {}) is finished


async def test_one_of_two_ends_for_good_and_the_pod_still_runs(stage: Stage) -> None:
    async with stage.workers() as workers:
        workers.wish([pod(wish("a"), wish("b"), restartPolicy="Never")])
        await stage.settle()
        stage.runtime.finish((await stage.running("a")).id, 1)
        await stage.settle()
        assert stage.status().phase == "Running"
        stage.runtime.finish((await stage.running("b")).id, 0)
        await stage.settle()
        assert stage.status().phase == "Failed"


async def test_an_oom_kill_is_called_by_its_name(stage: Stage) -> None:
    async with stage.workers() as workers:
        workers.wish([pod(restartPolicy="Never")])
        await stage.settle()
        stage.runtime.finish((await stage.running("web")).id, 137, oom_killed=True)
        await stage.settle()
        ended = stage.container().state.terminated
        assert ended is not None
        assert ended.reason == "OOMKilled"


async def test_init_containers_run_one_after_the_other(stage: Stage) -> None:
    async with stage.workers() as workers:
        workers.wish([pod(initContainers=[wish("one"), wish("two")])])
        await stage.settle()
        assert stage.status().phase == "Pending"
        waiting = stage.container().state.waiting
        assert waiting is not None
        assert waiting.reason == "PodInitializing"
        stage.runtime.finish((await stage.running("one")).id, 0)
        await stage.settle()
        two = await stage.running("two")
        assert stage.container().state.running is None
        stage.runtime.finish(two.id, 0)
        await stage.settle()
        await stage.running("web")
        assert "Initialized" in true_conditions(stage.status())
        assert stage.container("one").ready


async def test_an_init_container_that_fails_is_tried_again(stage: Stage) -> None:
    async with stage.workers() as workers:
        workers.wish([pod(initContainers=[wish("one")])])
        await stage.settle()
        stage.runtime.finish((await stage.running("one")).id, 1)
        await stage.settle()
        await stage.running("one")
        assert stage.container("one").restartCount == 1
        assert stage.status().phase == "Pending"


async def test_an_init_container_that_fails_for_good_fails_the_pod(stage: Stage) -> None:
    async with stage.workers() as workers:
        workers.wish([pod(initContainers=[wish("one")], restartPolicy="Never")])
        await stage.settle()
        stage.runtime.finish((await stage.running("one")).id, 1)
        await stage.settle()
        assert stage.status().phase == "Failed"
        assert [c.marks[marks.CONTAINER_NAME] for c in await stage.all()] == ["POD", "one"]


async def test_an_image_that_can_not_be_pulled(stage: Stage) -> None:
    async with stage.workers() as workers:
        workers.wish([pod(wish(image="far/away:1"))])
        await stage.settle()
        waiting = stage.container().state.waiting
        assert waiting is not None
        assert waiting.reason == "ErrImagePull"
        assert stage.status().phase == "Pending"
        await stage.settle(3)
        waiting = stage.container().state.waiting
        assert waiting is not None
        assert waiting.reason == "ImagePullBackOff"
        stage.runtime.registry.add("far/away:1")
        await stage.settle(10)
        assert (await stage.running("web")).image == "far/away:1"


async def test_never_pull_uses_only_what_is_here(stage: Stage) -> None:
    stage.runtime.registry.add("far/away:1")
    async with stage.workers() as workers:
        workers.wish([pod(wish(image="far/away:1", imagePullPolicy="Never"))])
        await stage.settle()
        waiting = stage.container().state.waiting
        assert waiting is not None
        assert waiting.reason == "ErrImageNeverPull"


async def test_a_missing_config_map_holds_the_container_until_it_comes(stage: Stage) -> None:
    source = EnvVarSource(configMapKeyRef=ConfigMapKeySelector(name="cm", key="k"))
    async with stage.workers() as workers:
        workers.wish([pod(wish(env=[EnvVar(name="A", valueFrom=source)]))])
        await stage.settle()
        waiting = stage.container().state.waiting
        assert waiting is not None
        assert (waiting.reason, waiting.message) == (
            "CreateContainerConfigError",
            'configmap "cm" not found',
        )
        stage.shelf.config_maps["cm"] = ConfigMap(data={"k": "v"})
        await stage.settle(5)
        spec = stage.runtime.specs[(await stage.running("web")).id]
        assert ("A", "v") in spec.env


@pytest.mark.parametrize(
    ("verb", "error", "reason"),
    [
        ("start", StartFailed("exec: no such file"), "RunContainerError"),
        ("create", CreateFailed("bad mount"), "CreateContainerError"),
    ],
)
async def test_the_engine_refuses_a_container(
    stage: Stage, verb: str, error: Exception, reason: str
) -> None:
    async with stage.workers() as workers:
        workers.wish([pod(initContainers=[wish("one")])])
        await stage.settle()
        stage.runtime.fail_next(verb, error)
        stage.runtime.finish((await stage.running("one")).id, 0)
        await stage.settle()
        waiting = stage.container().state.waiting
        assert waiting is not None
        assert (waiting.reason, waiting.message) == (reason, str(error))
        await stage.settle(5)
        await stage.running("web")


async def test_an_engine_that_is_away_for_a_while(stage: Stage) -> None:
    stage.runtime.fail_next("list", Unreachable("no socket"), times=3)
    async with stage.workers() as workers:
        workers.wish([pod()])
        await stage.settle(10)
        await stage.running("web")


async def test_a_delete_waits_for_the_grace_and_no_longer(stage: Stage) -> None:
    stage.runtime.deaf.add("web:1")
    async with stage.workers() as workers:
        workers.wish([pod()])
        await stage.settle()
        workers.wish([going(pod(), stage.clock.wall(), grace_s=30)])
        await stage.settle(29)
        await stage.running("web")
        assert stage.container().ready is False
        await stage.settle(1)
        assert await stage.all() == []


async def test_a_second_delete_may_shorten_the_grace(stage: Stage) -> None:
    stage.runtime.deaf.add("web:1")
    async with stage.workers() as workers:
        workers.wish([pod()])
        await stage.settle()
        start = stage.clock.wall()
        workers.wish([going(pod(), start, grace_s=300)])
        await stage.settle(5)
        workers.wish([going(pod(), start, grace_s=10)])
        await stage.settle(4)
        await stage.running("web")
        await stage.settle(2)  # heard of late: the second that the API does not tell counts in full
        assert await stage.all() == []


async def test_a_deletion_late_in_a_second_leaves_the_whole_grace(stage: Stage) -> None:
    stage.runtime.deaf.add("web:1")
    async with stage.workers() as workers:
        workers.wish([pod()])
        await stage.settle()
        await stage.settle(0.9)
        workers.wish([going(pod(), stage.clock.wall(), grace_s=5)])
        await stage.settle(4.8)
        await stage.running("web")
        await stage.settle(1)
        assert await stage.all() == []


async def test_a_failed_liveness_probe_restarts_the_container(stage: Stage) -> None:
    probe = Probe(exec=ExecAction(command=["check"]), periodSeconds=10, failureThreshold=3)
    async with stage.workers() as workers:
        workers.wish([pod(wish(livenessProbe=probe), wish("b"))])
        await stage.settle()
        web, b = await stage.running("web"), await stage.running("b")
        stage.runtime.on_exec = lambda c, _argv: ExecResult(int(c.id == web.id), b"sick")
        await stage.settle(20)
        await stage.settle(10)
        assert (await stage.running("web")).id != web.id
        assert (await stage.running("b")).id == b.id
        assert stage.container().restartCount == 1
        assert ("Unhealthy", "Liveness probe failed: sick") in stage.notes.all


async def test_a_readiness_probe_decides_about_ready(stage: Stage) -> None:
    probe = Probe(exec=ExecAction(command=["check"]), periodSeconds=5, failureThreshold=1)
    stage.runtime.on_exec = lambda _c, _argv: ExecResult(1, b"not yet")
    async with stage.workers() as workers:
        workers.wish([pod(wish(readinessProbe=probe))])
        await stage.settle()
        assert "Ready" not in true_conditions(stage.status())
        stage.runtime.on_exec = lambda _c, _argv: ExecResult(0, b"")
        await stage.settle(5)
        assert "Ready" in true_conditions(stage.status())
        assert stage.container().restartCount == 0


async def test_a_startup_probe_holds_the_others_back(stage: Stage) -> None:
    startup = Probe(exec=ExecAction(command=["up"]), periodSeconds=1, failureThreshold=30)
    live = Probe(exec=ExecAction(command=["live"]), periodSeconds=1, failureThreshold=1)
    asked: list[str] = []

    def answer(_c: object, argv: list[str]) -> ExecResult:
        asked.append(argv[0])
        return ExecResult(0 if len(asked) > 3 else 1, b"")

    stage.runtime.on_exec = answer  # type: ignore[assignment]
    async with stage.workers() as workers:
        workers.wish([pod(wish(startupProbe=startup, livenessProbe=live))])
        await stage.settle()
        assert stage.container().started is False
        await stage.settle(3)
        await stage.settle(1)
        assert stage.container().started is True
        assert asked[:5] == ["up", "up", "up", "up", "live"]
        assert stage.container().restartCount == 0


async def test_a_failed_post_start_hook_restarts_the_container(stage: Stage) -> None:
    hook = Lifecycle(postStart=LifecycleHandler(exec=ExecAction(command=["hook"])))
    answers = iter([ExecResult(1, b"no"), ExecResult(0, b"")])
    stage.runtime.on_exec = lambda _c, _argv: next(answers)
    async with stage.workers() as workers:
        workers.wish([pod(wish(lifecycle=hook))])
        await stage.settle()
        await stage.running("web")
        assert stage.container().restartCount == 1
        assert "FailedPostStartHook" in stage.notes.reasons


async def test_a_pre_stop_hook_runs_before_the_stop(stage: Stage) -> None:
    hook = Lifecycle(preStop=LifecycleHandler(exec=ExecAction(command=["bye"])))
    seen: list[State] = []

    def answer(container: object, _argv: object) -> ExecResult:
        seen.append(container.state)  # type: ignore[attr-defined]
        return ExecResult(0, b"")

    stage.runtime.on_exec = answer  # type: ignore[assignment]
    async with stage.workers() as workers:
        workers.wish([pod(wish(lifecycle=hook))])
        await stage.settle()
        workers.wish([going(pod(wish(lifecycle=hook)), stage.clock.wall())])
        await stage.settle()
        assert seen == [State.RUNNING]
        assert await stage.all() == []


async def test_one_dead_container_per_name_is_kept(stage: Stage) -> None:
    async with stage.workers() as workers:
        workers.wish([pod()])
        await stage.settle()
        for _ in range(4):
            stage.runtime.finish((await stage.running("web")).id, 1)
            await stage.settle(700)
        dead = [c for c in await stage.all() if c.state is State.EXITED]
        assert len(dead) == 1
        assert stage.container().restartCount == 4


async def test_a_deadline_ends_the_pod(stage: Stage) -> None:
    async with stage.workers() as workers:
        workers.wish([pod(activeDeadlineSeconds=60)])
        await stage.settle()
        await stage.settle(60)
        assert stage.status().phase == "Failed"
        assert stage.status().reason == "DeadlineExceeded"
        assert not [c for c in await stage.all() if c.state is State.RUNNING]


async def test_last_words_are_shown(stage: Stage) -> None:
    async with stage.workers() as workers:
        workers.wish([pod(restartPolicy="Never")])
        await stage.settle()
        web = await stage.running("web")
        write_into(stage, web.id, "/dev/termination-log", "out of luck")
        stage.runtime.finish(web.id, 1)
        await stage.settle()
        ended = stage.container().state.terminated
        assert ended is not None
        assert ended.message == "out of luck"


@pytest.mark.parametrize(
    ("policy", "code", "message"),
    [("FallbackToLogsOnError", 1, "oh no"), ("FallbackToLogsOnError", 0, ""), ("File", 1, "")],
)
async def test_the_log_speaks_for_who_left_no_words(
    stage: Stage, policy: str, code: int, message: str
) -> None:
    async with stage.workers() as workers:
        workers.wish([pod(wish(terminationMessagePolicy=policy), restartPolicy="Never")])
        await stage.settle()
        web = await stage.running("web")
        stage.runtime.say(web.id, "oh no")
        stage.runtime.finish(web.id, code)
        await stage.settle()
        ended = stage.container().state.terminated
        assert ended is not None
        assert ended.message == message


def write_into(stage: Stage, container_id: str, target: str, text: str) -> None:
    mounts = {m.target: m.source for m in stage.runtime.specs[container_id].mounts}
    Path(mounts[target]).write_text(text)


async def test_a_wish_that_says_nothing_new_wakes_nobody(stage: Stage) -> None:
    async with stage.workers() as workers:
        workers.wish([pod(), pod(name="q", uid="u2")])
        await stage.settle()
        looks = count_looks(stage)
        again = pod()
        again.status = stage.status()
        workers.wish([again, pod(name="q", uid="u2")])
        await stage.settle()
        assert looks == []
        relabelled = pod()
        relabelled.metadata.labels = {"a": "b"}
        workers.wish([relabelled, pod(name="q", uid="u2")])
        await stage.settle()
        assert looks == ["u1"]


def count_looks(stage: Stage) -> list[str]:
    """Whose containers are looked at from now on."""
    looks: list[str] = []
    ask = stage.runtime.list

    async def listen(wanted: Mapping[str, str]) -> Sequence[Container]:
        looks.append(wanted.get(marks.POD_UID, ""))
        return await ask(wanted)

    stage.runtime.list = listen  # type: ignore[method-assign]
    return looks
