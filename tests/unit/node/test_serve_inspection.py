"""The pages of the first kubelets: who runs here, what it uses, what a command says."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from appliance.node.runtimes.base import ExecResult
from appliance.node.serve.app import build_app
from appliance.node.serve.inspection import add_inspection
from appliance.node.serve.manifests import add_manifests
from appliance.node.serve.usage import add_usage
from appliance.node.sources.push import PushSource
from appliance.node.stats.meter import RATE_S, Meter
from appliance.node.stats.volumes import VolumeMeter
from appliance.node.volumes.mounter import Volumes
from tests.unit.node.stage import Stage, pod

POSTED = b"{version: v1beta1, id: a, containers: [{name: c, image: web}]}"


@asynccontextmanager
async def pages(stage: Stage, pushed: PushSource | None = None) -> AsyncIterator[httpx.AsyncClient]:
    async with stage.workers() as workers:
        workers.wish([pod()])
        await stage.settle()
        app = build_app(workers, stage.runtime, stage.clock)
        logs = stage.data_dir / "log"
        add_inspection(app, workers, stage.runtime, node_name="n1", logs=logs)
        meter = Meter(stage.runtime, stage.clock, cluster_id="c1", data_dir=stage.data_dir)
        claims = VolumeMeter(Volumes(stage.data_dir), lambda: [pod()])
        add_usage(app, meter, workers, stage.clock, node_name="n1", volumes=claims)
        add_manifests(app, pushed or PushSource(node_name="n1", last=()))
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://node") as http:
            yield http


@pytest.mark.seed("Q01")
async def test_healthz(tmp_path: Path) -> None:
    async with pages(Stage(tmp_path)) as http:
        answer = await http.get("/healthz")
    assert (answer.status_code, answer.text) == (200, "ok")


@pytest.mark.seed("Q02")
async def test_pod_info(tmp_path: Path) -> None:
    async with pages(Stage(tmp_path)) as http:
        for path in ("/podInfo", "/api/v1beta1/podInfo"):
            found = (await http.get(f"{path}?podID=p&podNamespace=default")).json()
            assert set(found) == {"web", "net"}
            assert found["web"]["state"]["running"]["startedAt"]
            assert found["web"]["restartCount"] == 0
            assert found["web"]["containerID"].startswith("fake://")
            assert found["net"]["podIP"] == "10.42.0.2"
        assert (await http.get("/podInfo?podNamespace=default")).status_code == 400
        assert (await http.get("/podInfo?podID=p")).status_code == 400
        assert (await http.get("/podInfo?podID=q&podNamespace=default")).status_code == 404


@pytest.mark.seed("Q03", "Q10")
async def test_all_pods(tmp_path: Path) -> None:
    async with pages(Stage(tmp_path)) as http:
        bound = (await http.get("/boundPods")).json()
        assert [(p["id"], p["namespace"]) for p in bound["items"]] == [("p", "default")]
        assert bound["items"][0]["spec"]["containers"][0]["image"] == "web:1"
        assert (await http.get("/pods")).json()["items"][0]["metadata"]["name"] == "p"
        running = (await http.get("/runningpods/")).json()
        assert running["items"][0]["spec"]["containers"][0]["name"] == "web"


@pytest.mark.seed("Q06")
async def test_log_files_of_the_host(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    (folder / "sub").mkdir(parents=True)
    (folder / "syslog").write_text("it works\n")
    (tmp_path / "secret").write_text("no")
    (folder / "way-out").symlink_to(tmp_path / "secret")
    async with pages(Stage(tmp_path)) as http:
        assert (await http.get("/logs/syslog")).text == "it works\n"
        assert 'href="sub/"' in (await http.get("/logs/")).text
        for path in ("nothing", "way-out", "%2e%2e/secret", "..%2fsecret"):
            assert (await http.get(f"/logs/{path}")).status_code == 404


@pytest.mark.seed("Q04", "Q05")
async def test_usage_in_old_words(tmp_path: Path) -> None:
    async with pages(Stage(tmp_path)) as http:
        machine = (await http.get("/stats/")).json()
        assert machine["stats"][0]["memory"]["usage"] > 0
        assert (await http.get("/stats/q/web")).status_code == 404
        assert (await http.get("/stats/p/other")).status_code == 404
        # Nothing of the fake's containers is in a cgroup.
        assert (await http.get("/stats/p/web")).json() == {}
        assert (await http.get("/stats/default/p/u1/web")).json() == {}
        assert (await http.get("/stats/default/p/u2/web")).status_code == 404
        spec = (await http.get("/spec/")).json()
        assert min(spec["num_cores"], spec["memory_capacity"]) > 0


async def test_usage_in_todays_words(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    async with pages(stage) as http:
        asking = asyncio.create_task(http.get("/stats/summary"))
        while not asking.done():  # the first look has nothing to compare with
            await stage.settle(RATE_S)
            await asyncio.sleep(0.001)  # files are read in a thread
        node = (await asking).json()["node"]
        assert node["cpu"]["usageNanoCores"] >= 0
        assert node["cpu"]["windowSeconds"] >= RATE_S
        assert node["nodeName"] == "n1"
        assert node["memory"]["workingSetBytes"] > 0
        assert node["fs"]["capacityBytes"] > node["fs"]["usedBytes"] > 0
        text = (await http.get("/metrics/resource")).text
        assert "# TYPE node_cpu_usage_seconds_total counter\n" in text


@pytest.mark.seed("Q08")
async def test_a_command(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    async with pages(stage) as http:
        stage.runtime.on_exec = lambda _container, argv: (
            ExecResult(0, b"now\n") if list(argv) == ["date", "-u"] else ExecResult(1, b"")
        )
        for path in ("/run/default/p/web", "/run/default/p/u1/web"):
            answer = await http.post(path, params={"cmd": "date -u"})
            assert (answer.status_code, answer.text) == (200, "now\n")
        assert (await http.get("/run/default/p/web?cmd=false")).status_code == 500
        assert (await http.get("/run/default/p/web")).status_code == 400
        assert (await http.get("/run/default/q/web?cmd=date")).status_code == 404
        assert (await http.get("/run/default/p/u2/web?cmd=date")).status_code == 404


@pytest.mark.seed("M04", "Q09")
async def test_manifests_are_posted(tmp_path: Path) -> None:
    pushed = PushSource(node_name="n1", last=())
    async with pages(Stage(tmp_path), pushed) as http:
        answer = await http.post("/container", content=POSTED)
        assert answer.json() == {"pods": ["default/a-n1"]}
        bad = await http.post("/container", content=b"kind: [")
        assert bad.status_code == 500
        assert "not YAML" in bad.text
        assert [p.metadata.name for p in await anext(pushed.snapshots())] == ["a-n1"]
        assert (await http.post("/containers", content=b"[]")).json() == {"pods": []}
        assert (await http.post("/containers", content=b"#" * (2 << 20))).status_code == 500
        assert await anext(pushed.snapshots()) == []
