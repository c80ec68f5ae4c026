"""The shop on a cluster: applied, and asked over HTTP."""

import time
from pathlib import Path

import httpx

MANIFEST = Path(__file__).parents[1] / "shop.yaml"


def test_the_shop_has_apples(appliance_cluster):
    """Two pods answer behind one port of the node."""
    begun = time.monotonic()
    appliance_cluster.apply(MANIFEST)
    pods = appliance_cluster.client.wait_running("app=shop", 2)
    url = appliance_cluster.node("server").url(30090)
    answers = [httpx.get(url).json() for _ in range(20)]
    answered_s = time.monotonic() - begun
    assert {answer["apples"] for answer in answers} == {3}
    assert {answer["pod"] for answer in answers} == {pod["metadata"]["name"] for pod in pods}
    took = appliance_cluster.phases
    print(f"image {took.image_s:.1f} s, API ready {took.api_s:.1f} s, "
          f"node Ready {took.ready_s:.1f} s, pods answering {answered_s:.1f} s")
