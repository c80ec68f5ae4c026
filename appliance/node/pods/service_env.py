"""Pure: the variables that a pod gets for one service, in both old styles.

Worked example, service `redis-master`, TCP 6379, address 10.0.0.11:

    REDIS_MASTER_SERVICE_HOST=10.0.0.11
    REDIS_MASTER_SERVICE_PORT=6379
    REDIS_MASTER_PORT=tcp://10.0.0.11:6379
    REDIS_MASTER_PORT_6379_TCP=tcp://10.0.0.11:6379
    REDIS_MASTER_PORT_6379_TCP_PROTO=tcp
    REDIS_MASTER_PORT_6379_TCP_PORT=6379
    REDIS_MASTER_PORT_6379_TCP_ADDR=10.0.0.11

A named port gives `…_SERVICE_PORT_<NAME>` too; each port gives its own block of links. Called by
`env` for services that have an address.
"""

from appliance.api.kinds.core.service import Service


def service_variables(service: Service) -> dict[str, str]:
    """All variables of one service."""
    prefix = _upper(service.metadata.name)
    address = service.spec.clusterIP
    ports = service.spec.ports
    if not ports:
        return {}
    made = {
        f"{prefix}_SERVICE_HOST": address,
        f"{prefix}_SERVICE_PORT": str(ports[0].port),
    }
    for port in ports:
        if port.name:
            made[f"{prefix}_SERVICE_PORT_{_upper(port.name)}"] = str(port.port)
    for index, port in enumerate(ports):
        protocol = (port.protocol or "TCP").lower()
        url = f"{protocol}://{_bracketed(address)}:{port.port}"
        if index == 0:
            made[f"{prefix}_PORT"] = url
        link = f"{prefix}_PORT_{port.port}_{protocol.upper()}"
        made[link] = url
        made[f"{link}_PROTO"] = protocol
        made[f"{link}_PORT"] = str(port.port)
        made[f"{link}_ADDR"] = address
    return made


def _upper(name: str) -> str:
    return name.upper().replace("-", "_")


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address
