"""What a user writes about a Service."""

from typing import Annotated

from appliance.api.schema import F, Int32, IntOrString, Message, always


class ServicePort(Message):
    """TODO."""

    name: Annotated[str, F(1, "")] = ""
    protocol: Annotated[str, F(2, "")] = ""
    appProtocol: Annotated[str | None, F(6, "")] = None
    port: Annotated[Int32, F(3, "", required=True)] = always(int)
    targetPort: Annotated[IntOrString, F(4, "")] = always(int)
    nodePort: Annotated[Int32, F(5, "")] = 0


class ClientIPConfig(Message):
    """TODO."""

    timeoutSeconds: Annotated[Int32 | None, F(1, "")] = None


class SessionAffinityConfig(Message):
    """TODO."""

    clientIP: Annotated[ClientIPConfig | None, F(1, "")] = None


class ServiceSpec(Message):
    """TODO."""

    ports: Annotated[
        list[ServicePort],
        F(
            1,
            "",
            merge=True,
            merge_key="port",
            list_type="map",
            list_keys=(
                "port",
                "protocol",
            ),
        ),
    ] = []
    selector: Annotated[dict[str, str], F(2, "", map_type="atomic")] = {}
    clusterIP: Annotated[str, F(3, "")] = ""
    clusterIPs: Annotated[list[str], F(18, "", list_type="atomic")] = []
    type: Annotated[str, F(4, "")] = ""
    externalIPs: Annotated[list[str], F(5, "", list_type="atomic")] = []
    sessionAffinity: Annotated[str, F(7, "")] = ""
    loadBalancerIP: Annotated[str, F(8, "")] = ""
    loadBalancerSourceRanges: Annotated[list[str], F(9, "", list_type="atomic")] = []
    externalName: Annotated[str, F(10, "")] = ""
    externalTrafficPolicy: Annotated[str, F(11, "")] = ""
    healthCheckNodePort: Annotated[Int32, F(12, "")] = 0
    publishNotReadyAddresses: Annotated[bool, F(13, "")] = False
    sessionAffinityConfig: Annotated[SessionAffinityConfig | None, F(14, "")] = None
    ipFamilies: Annotated[list[str], F(19, "", list_type="atomic")] = []
    ipFamilyPolicy: Annotated[str | None, F(17, "")] = None
    allocateLoadBalancerNodePorts: Annotated[bool | None, F(20, "")] = None
    loadBalancerClass: Annotated[str | None, F(21, "")] = None
    internalTrafficPolicy: Annotated[str | None, F(22, "")] = None
    trafficDistribution: Annotated[str | None, F(23, "")] = None
