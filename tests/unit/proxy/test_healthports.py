"""What a load balancer hears from a node about a service."""

import asyncio

import httpx

from appliance.proxy.healthports import HealthPorts, answer
from appliance.proxy.table import HealthCheck
from tests.lab.cluster import free_port


def check(port: int, local: int) -> HealthCheck:
    return HealthCheck(namespace="d", name="web", port=port, local_endpoints=local)


async def test_a_node_with_endpoints_is_healthy_and_without_is_not() -> None:
    port, ports = free_port(), HealthPorts("127.0.0.1")
    async with httpx.AsyncClient(trust_env=False) as balancer:
        await ports.apply([check(port, 2)])
        heard = await balancer.get(f"http://127.0.0.1:{port}/")
        assert heard.status_code == 200
        assert heard.headers["X-Load-Balancing-Endpoint-Weight"] == "2"
        assert heard.headers["Content-Type"] == "application/json"
        assert heard.json() == {
            "service": {"namespace": "d", "name": "web"},
            "localEndpoints": 2,
            "serviceProxyHealthy": True,
        }
        await ports.apply([check(port, 0)])
        assert (await balancer.get(f"http://127.0.0.1:{port}/")).status_code == 503
        await ports.apply([])
        try:
            await balancer.get(f"http://127.0.0.1:{port}/")
        except httpx.ConnectError:
            return
    raise AssertionError("the port of a service that is gone is still open")


async def test_a_taken_port_stops_no_other() -> None:
    taken, free, ports = free_port(), free_port(), HealthPorts("127.0.0.1")
    holder = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", taken)
    async with holder, httpx.AsyncClient(trust_env=False) as balancer:
        await ports.apply([check(taken, 1), check(free, 1)])
        assert (await balancer.get(f"http://127.0.0.1:{free}/")).status_code == 200
    ports.close()


def test_the_answer_is_worded_as_upstreams() -> None:
    body = answer(check(1, 1)).partition(b"\r\n\r\n")[2].decode()
    assert body == (
        '{\n\t"service": {\n\t\t"namespace": "d",\n\t\t"name": "web"\n\t},\n'
        '\t"localEndpoints": 1,\n\t"serviceProxyHealthy": true\n}'
    )
