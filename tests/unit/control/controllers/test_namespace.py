"""A namespace is furnished when it comes, and emptied before it goes."""

import pytest

from appliance.api.errors import NotFound
from appliance.api.kinds.core.configmap import CONFIG_MAP, ConfigMap
from appliance.api.kinds.core.namespace import NAMESPACE, Namespace
from appliance.api.kinds.core.secret import SECRET, Secret
from appliance.api.kinds.core.serviceaccount import SERVICE_ACCOUNT
from appliance.api.kinds.table import KINDS
from appliance.api.meta import ObjectMeta
from appliance.control.controllers.accounts import Accounts
from appliance.control.controllers.namespace import NamespaceController
from tests.unit.control.cluster import Cluster

CA = "-----BEGIN CERTIFICATE-----"


@pytest.fixture
async def spaces(plane: Cluster) -> Cluster:
    await plane.start(
        Accounts(plane.client, plane.informers, root_ca_pem=CA),
        NamespaceController(plane.client, plane.informers, KINDS, clock=plane.clock),
    )
    await plane.make(NAMESPACE, Namespace(metadata=ObjectMeta(name="team")))
    return plane


async def test_a_new_namespace_has_an_account_and_the_ca(spaces: Cluster) -> None:
    assert await spaces.names(SERVICE_ACCOUNT, "team") == ["default"]
    made = await spaces.client.get(CONFIG_MAP, "kube-root-ca.crt", "team")
    assert made.data == {"ca.crt": CA}


async def test_both_come_back_and_an_edited_ca_is_put_right(spaces: Cluster) -> None:
    await spaces.delete(SERVICE_ACCOUNT, "default")
    await spaces.delete(CONFIG_MAP, "kube-root-ca.crt")
    assert await spaces.names(SERVICE_ACCOUNT) == ["default"]
    assert await spaces.names(CONFIG_MAP) == ["kube-root-ca.crt"]
    await spaces.edit(CONFIG_MAP, "kube-root-ca.crt", {"data": {"ca.crt": "evil", "more": "x"}})
    made = await spaces.client.get(CONFIG_MAP, "kube-root-ca.crt", "default")
    assert made.data == {"ca.crt": CA}


async def test_a_deleted_namespace_is_emptied_and_goes(spaces: Cluster) -> None:
    meta = ObjectMeta(name="mine", namespace="team")
    await spaces.make(CONFIG_MAP, ConfigMap(metadata=meta))
    await spaces.make(SECRET, Secret(metadata=meta))
    await spaces.delete(NAMESPACE, "team")
    with pytest.raises(NotFound):
        await spaces.client.get(NAMESPACE, "team")
    assert await spaces.names(CONFIG_MAP, "team") == []
    assert await spaces.names(SERVICE_ACCOUNT, "team") == []
    assert await spaces.names(CONFIG_MAP) == ["kube-root-ca.crt"], "others are left alone"


async def test_it_waits_for_what_has_finalizers(spaces: Cluster) -> None:
    meta = ObjectMeta(name="held", namespace="team", finalizers=["example.org/hold"])
    await spaces.make(CONFIG_MAP, ConfigMap(metadata=meta))
    await spaces.delete(NAMESPACE, "team")
    assert (await spaces.client.get(NAMESPACE, "team")).status.phase == "Terminating"
    await spaces.client.patch(
        CONFIG_MAP, "held", {"metadata": {"finalizers": None}}, namespace="team"
    )
    await spaces.settle()
    with pytest.raises(NotFound):
        await spaces.client.get(NAMESPACE, "team")


async def test_at_rest_nothing_is_written(spaces: Cluster) -> None:
    before = await spaces.revision()
    await spaces.advance(3600)
    assert await spaces.revision() == before
