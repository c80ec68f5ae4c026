"""Owners, conditions and random names."""

import random

from appliance.api import objects
from appliance.api.kinds.core.configmap import CONFIG_MAP, ConfigMap
from appliance.api.meta import Condition, ObjectMeta


def test_the_managing_owner_is_found_by_uid() -> None:
    owner = ConfigMap(metadata=ObjectMeta(name="o", uid="1"))
    owned = ConfigMap()
    owned.metadata.ownerReferences = [
        objects.owner_ref(CONFIG_MAP, ConfigMap(metadata=ObjectMeta(name="x", uid="9"))),
        objects.controller_ref(CONFIG_MAP, owner),
    ]
    ref = objects.controller_of(owned)
    assert ref is not None
    assert (ref.kind, ref.apiVersion, ref.uid) == ("ConfigMap", "v1", "1")
    assert objects.is_controlled_by(owned, owner)
    assert not objects.is_controlled_by(owner, owned)


def test_a_condition_keeps_its_time_while_its_status_stays() -> None:
    conditions = [Condition(type="Ready", status="True", lastTransitionTime="t0", reason="a")]
    assert objects.set_condition(
        conditions, Condition(type="Ready", status="True", lastTransitionTime="t1", reason="b")
    )
    assert (conditions[0].lastTransitionTime, conditions[0].reason) == ("t0", "b")
    same = Condition(type="Ready", status="True", lastTransitionTime="t2", reason="b")
    assert not objects.set_condition(conditions, same)
    assert objects.set_condition(
        conditions, Condition(type="Ready", status="False", lastTransitionTime="t3")
    )
    assert conditions[0].lastTransitionTime == "t3"
    assert objects.set_condition(conditions, Condition(type="New", status="True"))
    assert objects.is_true(conditions, "New")
    assert not objects.is_true(conditions, "Ready")


def test_generated_names_fit_and_spell_nothing() -> None:
    name = objects.generate_name("a" * 100, random.Random(1))  # noqa: S311
    assert len(name) == 63
    assert set(name[58:]) <= set(objects.NAME_ALPHABET)


def test_keys() -> None:
    assert objects.key_of(ConfigMap(metadata=ObjectMeta(name="a", namespace="n"))) == "n/a"
    assert objects.key_of(ConfigMap(metadata=ObjectMeta(name="a"))) == "a"
    assert objects.split_key("n/a") == ("n", "a")
    assert objects.split_key("a") == ("", "a")
