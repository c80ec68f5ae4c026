"""LIST: newest, exact and past revisions, pages, and what is refused."""

import pytest

from appliance.api import errors
from appliance.api.kinds.core.configmap import CONFIG_MAP, ConfigMap
from appliance.api.meta import ObjectMeta
from appliance.control.registry.base import Call, Query, StoredPage
from appliance.control.registry.listing import ExpiredPage
from appliance.control.registry.pages import encode_continue
from appliance.control.registry.registry import StoreRegistry
from appliance.store.memory import MemoryStore


async def test_pages_show_the_revision_of_the_first(registry: StoreRegistry, call: Call) -> None:
    for name in "abcde":
        await create(registry, call, name)
    first = await listed(registry, limit=2)
    assert (names(first), first.remaining) == (["a", "b"], 3)
    await create(registry, call, "bb")
    second = await listed(registry, limit=2, continue_token=first.continue_token)
    assert (names(second), second.remaining) == (["c", "d"], 1)
    last = await listed(registry, limit=2, continue_token=second.continue_token)
    assert (names(last), last.continue_token, last.remaining) == (["e"], "", None)
    assert first.revision == second.revision == last.revision


async def test_pages_are_full_of_what_a_selector_matches(
    registry: StoreRegistry, call: Call
) -> None:
    for name in "abcdef":
        await create(registry, call, name, odd="yes" if name in "ace" else "no")
    first = await listed(registry, limit=2, labels="odd=yes")
    assert (names(first), first.remaining) == (["a", "c"], None)
    rest = await listed(registry, limit=2, labels="odd=yes", continue_token=first.continue_token)
    assert (names(rest), rest.continue_token) == (["e"], "")


async def test_a_namespace_is_not_a_prefix_of_another(registry: StoreRegistry, call: Call) -> None:
    await create(registry, call, "a", namespace="other")
    await create(registry, call, "b")
    assert names(await listed(registry, namespace="default")) == ["b"]
    assert names(await listed(registry, namespace="")) == ["b", "a"]


async def test_past_revisions_can_be_listed(registry: StoreRegistry, call: Call) -> None:
    then = (await create(registry, call, "a")).revision
    await create(registry, call, "b")
    wanted = {"resource_version": str(then), "resource_version_match": "Exact"}
    assert names(await listed(registry, **wanted)) == ["a"]
    assert names(await listed(registry, resource_version=str(then), limit=5)) == ["a"]
    assert names(await listed(registry, resource_version=str(then))) == ["a", "b"]
    assert names(await listed(registry, resource_version="0", limit=1)) == ["a", "b"]


async def test_a_compacted_page_says_how_to_go_on(
    registry: StoreRegistry, call: Call, store: MemoryStore
) -> None:
    for name in "abc":
        await create(registry, call, name)
    first = await listed(registry, limit=1)
    last = await create(registry, call, "bb")
    await store.compact(last.revision)
    with pytest.raises(ExpiredPage) as caught:
        await listed(registry, limit=1, continue_token=first.continue_token)
    token = caught.value.status()["metadata"]["continue"]
    rest = await listed(registry, limit=5, continue_token=token)
    assert names(rest) == ["b", "bb", "c"], "inconsistent, but complete from there on"
    with pytest.raises(errors.Expired, match="provided list is too old"):
        await listed(registry, resource_version=str(first.revision), resource_version_match="Exact")


@pytest.mark.parametrize(
    ("query", "error", "message"),
    [
        ({"resource_version": "99999"}, errors.Timeout, "Too large resource version: 99999, curr"),
        ({"resource_version": "abc"}, errors.BadRequest, "invalid resource version"),
        ({"resource_version": "-1"}, errors.BadRequest, "invalid resource version"),
        ({"resource_version_match": "Exact"}, errors.Invalid, "unless resourceVersion is provided"),
        (
            {"resource_version": "0", "resource_version_match": "Exact"},
            errors.Invalid,
            'is forbidden for resourceVersion "0"',
        ),
        (
            {"resource_version": "1", "resource_version_match": "Foo"},
            errors.Invalid,
            'supported values: "Exact", "NotOlderThan"',
        ),
        ({"continue_token": "junk"}, errors.BadRequest, "invalid continue token: continue key is"),
        ({"continue_token": "e30"}, errors.BadRequest, "does not recognize this encoded version"),
        ({"labels": "a in"}, errors.BadRequest, "unable to parse requirement"),
        ({"fields": "spec.x=1"}, errors.BadRequest, '"spec.x" is not a known field selector'),
    ],
)
async def test_what_makes_no_sense_is_refused(
    registry: StoreRegistry, query: dict[str, str], error: type[errors.ApiError], message: str
) -> None:
    with pytest.raises(error, match=message):
        await listed(registry, **query)


async def test_a_token_of_another_kind_of_key_starts_in_the_namespace(
    registry: StoreRegistry, call: Call
) -> None:
    made = await create(registry, call, "b", namespace="other")
    await create(registry, call, "a")
    token = encode_continue(made.revision, "")
    assert names(await listed(registry, namespace="other", continue_token=token)) == ["b"]


async def create(
    registry: StoreRegistry, call: Call, name: str, *, namespace: str = "default", **labels: str
):  # type: ignore[no-untyped-def]
    obj = ConfigMap(metadata=ObjectMeta(name=name, labels=labels))
    return await registry.create(CONFIG_MAP, obj, namespace=namespace, call=call)


async def listed(registry: StoreRegistry, **query: object) -> StoredPage[ConfigMap]:
    wanted: dict[str, object] = {"namespace": "default", **query}
    return await registry.list(CONFIG_MAP, Query(**wanted))  # type: ignore[arg-type]


def names(page: StoredPage[ConfigMap]) -> list[str]:
    return [item.obj.metadata.name for item in page.items]
