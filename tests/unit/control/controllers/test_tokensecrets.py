"""Secrets with tokens: filled for their account, gone with it."""

import pytest

from appliance.api.errors import NotFound
from appliance.api.kinds.core.namespace import NAMESPACE, Namespace
from appliance.api.kinds.core.secret import ACCOUNT_NAME, ACCOUNT_TOKEN, SECRET, Secret
from appliance.api.kinds.core.serviceaccount import SERVICE_ACCOUNT, ServiceAccount
from appliance.api.meta import ObjectMeta
from appliance.control.controllers.tokensecrets import ACCOUNT_UID, TokenSecrets
from tests.unit.control.cluster import Cluster


def sign(secret: str, account: ServiceAccount) -> str:
    return f"{secret} of {account.metadata.uid}"


async def begin(plane: Cluster, *, with_account: bool) -> str:
    await plane.client.create(NAMESPACE, Namespace(metadata=ObjectMeta(name="ci")))
    uid = ""
    if with_account:
        account = ServiceAccount(metadata=ObjectMeta(name="robot", namespace="ci"))
        uid = (await plane.client.create(SERVICE_ACCOUNT, account)).metadata.uid
    meta = ObjectMeta(name="t", namespace="ci", annotations={ACCOUNT_NAME: "robot"})
    await plane.client.create(SECRET, Secret(metadata=meta, type=ACCOUNT_TOKEN))
    controller = TokenSecrets(plane.client, plane.informers, root_ca_pem="pem", sign=sign)
    await plane.start(controller)
    return uid


async def test_a_secret_is_filled_and_mended(plane: Cluster) -> None:
    uid = await begin(plane, with_account=True)
    full = {"token": f"t of {uid}".encode(), "ca.crt": b"pem", "namespace": b"ci"}
    found = await plane.client.get(SECRET, "t", "ci")
    assert found.data == full
    assert found.metadata.annotations[ACCOUNT_UID] == uid
    await plane.client.patch(SECRET, "t", {"data": {"ca.crt": "eA=="}}, namespace="ci")
    await plane.settle()
    assert (await plane.client.get(SECRET, "t", "ci")).data == full


async def test_a_secret_goes_with_its_account(plane: Cluster) -> None:
    await begin(plane, with_account=True)
    await plane.client.delete(SERVICE_ACCOUNT, "robot", namespace="ci")
    await plane.settle()
    with pytest.raises(NotFound):
        await plane.client.get(SECRET, "t", "ci")


async def test_a_secret_for_nobody_goes_at_once(plane: Cluster) -> None:
    await begin(plane, with_account=False)
    with pytest.raises(NotFound):
        await plane.client.get(SECRET, "t", "ci")
