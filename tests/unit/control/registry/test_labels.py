"""What labels may be called and hold, as the server takes or refuses them."""

import pytest

from appliance.api import errors
from appliance.api.kinds.core.configmap import CONFIG_MAP, ConfigMap
from appliance.api.meta import ObjectMeta
from appliance.control.registry.base import Call
from appliance.control.registry.registry import StoreRegistry

GOOD = [
    ("a", "b"), ("A", "B"), ("a" * 63, "b"), ("1", "2"), ("a.b_c-d", "x.y_z-0"), ("k", ""),
    ("k", "v" * 63), ("example.com/k", "v"), ("x/k", "v"), ("p" * 63 + ".io/k", "v"),
    ("k8s.example.com/app.kubernetes", "v"), ("0.1/2", "3"),
]  # fmt: skip
BAD = [
    ("", "v"), ("-k", "v"), ("k-", "v"), (".k", "v"), ("k_", "v"), ("a" * 64, "v"), ("a b", "v"),
    ("a/b/c", "v"), ("/k", "v"), ("x/", "v"), ("Upper.io/k", "v"), ("_x/k", "v"),
    ("p" * 254 + "/k", "v"), ("k", "v" * 64), ("k", "-v"), ("k", "v-"), ("k", "a b"), ("k", "a/b"),
    ("k", "ä"), ("ü", "v"), ("k", "_"),
]  # fmt: skip


@pytest.mark.seed("B02")
@pytest.mark.parametrize(("key", "value"), GOOD)
async def test_taken(registry: StoreRegistry, call: Call, key: str, value: str) -> None:
    made = await create(registry, call, key, value)
    assert made.metadata.labels == {key: value}


@pytest.mark.seed("B02")
@pytest.mark.parametrize(("key", "value"), BAD)
async def test_refused(registry: StoreRegistry, call: Call, key: str, value: str) -> None:
    with pytest.raises(errors.Invalid, match=r"metadata\.labels"):
        await create(registry, call, key, value)


async def create(registry: StoreRegistry, call: Call, key: str, value: str) -> ConfigMap:
    obj = ConfigMap(metadata=ObjectMeta(name="one", labels={key: value}))
    return (await registry.create(CONFIG_MAP, obj, namespace="default", call=call)).obj
