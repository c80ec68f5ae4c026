"""What lies in the folder is in the cluster, and goes when it goes."""

import asyncio
from pathlib import Path

import pytest

from appliance.api.kinds.core.configmap import CONFIG_MAP, ConfigMap
from appliance.api.kinds.core.event import EVENT
from appliance.api.kinds.core.namespace import NAMESPACE, Namespace
from appliance.api.kinds.table import KINDS
from appliance.api.meta import ObjectMeta
from appliance.client.controller import Runner
from appliance.control.stacks.folder import Folder
from appliance.control.stacks.inventory import rank
from appliance.control.stacks.keeper import Stacks
from tests.unit.control.cluster import Cluster

TWO = """
apiVersion: v1
kind: ConfigMap
metadata: {name: one, namespace: shop}
data: {day: 2024-01-01}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
"""
ONE = """
apiVersion: v1
kind: ConfigMap
metadata: {name: NAME}
data: {a: "1"}
"""


@pytest.fixture
async def stacks(plane: Cluster, tmp_path: Path) -> Stacks:
    await plane.make(NAMESPACE, Namespace(metadata=ObjectMeta(name="kube-system")))
    keeper = Stacks(
        plane.client,
        plane.informers,
        folder=tmp_path,
        kinds=lambda: KINDS,
        recorder=plane.recorder,
    )
    _ = plane.tasks.spawn("events", plane.recorder.run())
    plane.informers.start(plane.tasks)
    await plane.informers.wait_synced()
    return keeper


async def record(plane: Cluster, name: str) -> ConfigMap:
    found: ConfigMap = await plane.client.get(CONFIG_MAP, f"stack-{name}", "kube-system")
    return found


async def until(plane: Cluster, names: list[str]) -> None:
    """Wait for these maps: the kernel's word takes real time to come."""
    maps = plane.informers.of(CONFIG_MAP)
    changed = asyncio.Event()
    maps.on_change(lambda _old, _new: changed.set())
    async with asyncio.timeout(20):
        while sorted(one.metadata.name for one in maps.cache.list("default")) != names:
            await changed.wait()
            changed.clear()


async def test_a_file_is_applied_in_the_order_of_need(
    plane: Cluster, stacks: Stacks, tmp_path: Path
) -> None:
    (tmp_path / "shop.yaml").write_text(TWO)
    await stacks.reconcile("shop")
    (found,) = await plane.all(CONFIG_MAP, "shop")
    assert found.data == {"day": "2024-01-01"}
    assert found.metadata.annotations["appliance.local/stack"] == "shop"
    noted = await record(plane, "shop")
    assert noted.data == {
        "state": "Applied",
        "files": "shop.yaml",
        "objects": "v1 ConfigMap shop/one\nv1 Namespace */shop",
    }


async def test_a_second_look_writes_nothing(plane: Cluster, stacks: Stacks, tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(TWO)
    await stacks.reconcile("shop")
    await plane.settle()
    before = await plane.revision()
    await stacks.reconcile("shop")
    await plane.settle()
    assert await plane.revision() == before


async def test_what_left_a_file_is_pruned_and_the_rest_stays(
    plane: Cluster, stacks: Stacks, tmp_path: Path
) -> None:
    folder = tmp_path / "web"
    folder.mkdir()
    (folder / "a.yaml").write_text(ONE.replace("NAME", "a"))
    (folder / "b.yml").write_text(ONE.replace("NAME", "b"))
    await stacks.reconcile("web")
    assert await plane.names(CONFIG_MAP) == ["a", "b"]
    (folder / "b.yml").unlink()
    await stacks.reconcile("web")
    assert await plane.names(CONFIG_MAP) == ["a"]
    (folder / "a.yaml").unlink()
    await stacks.reconcile("web")
    assert await plane.names(CONFIG_MAP) == []
    assert "stack-web" not in await plane.names(CONFIG_MAP, "kube-system")


async def test_rubbish_takes_nothing_away_and_is_told(
    plane: Cluster, stacks: Stacks, tmp_path: Path
) -> None:
    path = tmp_path / "web.yaml"
    path.write_text(ONE.replace("NAME", "a") + "---" + ONE.replace("NAME", "b"))
    await stacks.reconcile("web")
    path.write_text(ONE.replace("NAME", "a") + "---\n{")
    again = await stacks.reconcile("web")
    assert again.again_in_s
    assert await plane.names(CONFIG_MAP) == ["a", "b"]
    noted = await record(plane, "web")
    assert noted.data["state"] == "Failing"
    assert noted.data["message"].startswith("web.yaml: yaml: line ")
    await plane.settle()
    every = await plane.all(EVENT, "kube-system")
    (event,) = [one for one in every if one.reason == "FailedApply"]
    assert event.message == noted.data["message"]


async def test_one_bad_object_does_not_hold_up_the_others(
    plane: Cluster, stacks: Stacks, tmp_path: Path
) -> None:
    bad = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: Not_A_Name}\n"
    odd = "---\napiVersion: a.b/v1\nkind: Odd\nmetadata: {name: x}\n"
    (tmp_path / "web.yaml").write_text(bad + odd + "---" + ONE.replace("NAME", "a"))
    await stacks.reconcile("web")
    assert await plane.names(CONFIG_MAP) == ["a"]
    first, second = (await record(plane, "web")).data["message"].splitlines()
    assert first == "a.b/v1 Odd: no such kind; is its definition missing?"
    assert second.startswith('v1 ConfigMap default/Not_A_Name: ConfigMap "Not_A_Name" is invalid')


async def test_what_somebody_else_took_over_is_not_pruned(
    plane: Cluster, stacks: Stacks, tmp_path: Path
) -> None:
    path = tmp_path / "web.yaml"
    path.write_text(ONE.replace("NAME", "a"))
    await stacks.reconcile("web")
    (tmp_path / "other.yaml").write_text(ONE.replace("NAME", "a"))
    await stacks.reconcile("other")
    path.unlink()
    await stacks.reconcile("web")
    assert await plane.names(CONFIG_MAP) == ["a"]


async def test_a_skipped_stack_is_left_as_it_is(
    plane: Cluster, stacks: Stacks, tmp_path: Path
) -> None:
    path = tmp_path / "web.yaml"
    path.write_text(ONE.replace("NAME", "a"))
    await stacks.reconcile("web")
    path.rename(tmp_path / "web.yaml.skip")
    await stacks.reconcile("web")
    assert await plane.names(CONFIG_MAP) == ["a"]


async def test_a_folder_that_is_away_says_nothing(
    plane: Cluster, stacks: Stacks, tmp_path: Path
) -> None:
    path = tmp_path / "web.yaml"
    path.write_text(ONE.replace("NAME", "a"))
    await stacks.reconcile("web")
    await asyncio.to_thread(tmp_path.rename, tmp_path.with_name("elsewhere"))
    again = await stacks.reconcile("web")
    assert again.again_in_s
    assert await plane.names(CONFIG_MAP) == ["a"]


async def test_the_folder_is_followed(plane: Cluster, stacks: Stacks, tmp_path: Path) -> None:
    runner = Runner(stacks, clock=plane.clock)
    plane.tasks.spawn("stacks", runner.run())
    plane.tasks.spawn("folder", Folder(tmp_path, stacks, plane.clock).run(runner))
    (tmp_path / "web.yaml").write_text(ONE.replace("NAME", "a"))
    await until(plane, ["a"])
    below = tmp_path / "more"
    below.mkdir()
    (below / "x.yaml").write_text(ONE.replace("NAME", "b"))
    await until(plane, ["a", "b"])
    (tmp_path / "web.yaml").unlink()
    await until(plane, ["b"])


def test_definitions_come_before_what_they_define() -> None:
    assert rank("CustomResourceDefinition") < rank("Certificate")
    assert rank("Namespace") < rank("ServiceAccount") < rank("Deployment")
