"""The test plane itself notices when a loop changes what it shares."""

import pytest

from appliance.api.kinds.core.configmap import CONFIG_MAP, ConfigMap
from appliance.api.meta import ObjectMeta
from tests.unit.control.cluster import cluster


async def test_a_change_in_place_is_noticed() -> None:
    with pytest.raises(AssertionError, match="somebody changed ConfigMap web in place"):
        await live_with_a_sneaky_loop()


async def live_with_a_sneaky_loop() -> None:
    async with cluster() as plane:
        informer = plane.informers.of(CONFIG_MAP)
        await plane.start()
        meta = ObjectMeta(name="web", namespace="default")
        await plane.make(CONFIG_MAP, ConfigMap(metadata=meta))
        informer.cache.list()[0].data["sneaky"] = "change"
