"""What a cache finds by key, namespace and index after any change."""

from appliance.api.kinds.core.configmap import ConfigMap
from appliance.api.meta import ObjectMeta
from appliance.client.cache import Cache, key_of, split_key


def test_an_index_follows_the_object_through_its_changes() -> None:
    cache: Cache[ConfigMap] = Cache({"tier": lambda c: c.metadata.labels.values()})
    first, second = config("a", "web", "v1"), config("a", "db", "v2")
    assert cache.upsert(first) is None
    assert cache.upsert(second) is first
    assert cache.by_index("tier", "web") == []
    assert cache.by_index("tier", "db") == [second]
    assert cache.remove("ns/a") is second
    assert cache.by_index("tier", "db") == []
    assert cache.get("ns/a") is None
    assert cache.remove("ns/a") is None


def test_an_index_added_later_covers_what_is_there() -> None:
    cache: Cache[ConfigMap] = Cache()
    cache.upsert(config("a", "web"))
    cache.add_indexers({"tier": lambda c: c.metadata.labels.values()})
    assert [c.metadata.name for c in cache.by_index("tier", "web")] == ["a"]


def test_a_list_is_of_one_namespace_or_of_all() -> None:
    cache: Cache[ConfigMap] = Cache()
    cache.upsert(config("a", "x"))
    cache.upsert(config("b", "x", namespace="other"))
    assert [key_of(c) for c in cache.list()] == ["ns/a", "other/b"]
    assert [key_of(c) for c in cache.list("other")] == ["other/b"]
    assert cache.list("none") == []


def test_keys_of_kinds_without_namespaces_are_names() -> None:
    assert key_of(config("n", "x", namespace="")) == "n"
    assert split_key("n") == ("", "n")
    assert split_key("ns/n") == ("ns", "n")


def config(name: str, tier: str, version: str = "v1", *, namespace: str = "ns") -> ConfigMap:
    meta = ObjectMeta(name=name, namespace=namespace, labels={"tier": tier})
    return ConfigMap(metadata=meta, data={"version": version})
