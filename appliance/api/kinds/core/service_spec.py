"""Service and its parts as types; its rules stand in the files beside, `service.py` joins all."""

from typing import Annotated

from appliance.api.meta import Condition, KubeObject
from appliance.api.schema import F, Int32, IntOrString, Message, always


class ServicePort(Message):
    """A port of a Service."""

    name: Annotated[str, F(1, "Name; needed where there are several. Slices and DNS use it.")] = ""
    protocol: Annotated[
        str, F(2, "TCP, UDP or SCTP.", enum=("SCTP", "TCP", "UDP"), default="TCP")
    ] = ""
    appProtocol: Annotated[
        str | None, F(6, "Protocol spoken on top, such as kubernetes.io/h2c; a hint for proxies.")
    ] = None
    port: Annotated[Int32, F(3, "Port that clients connect to.", required=True)] = always(int)
    targetPort: Annotated[
        IntOrString, F(4, "Port of the pods: a number, or the name of a container's port.")
    ] = always(int)
    nodePort: Annotated[
        Int32, F(5, "Port on every node, for types NodePort and LoadBalancer; allotted if 0.")
    ] = 0


class ClientIPConfig(Message):
    """How clients stick to an endpoint."""

    timeoutSeconds: Annotated[
        Int32 | None, F(1, "For how long after the last connection, up to a day.")
    ] = None


class SessionAffinityConfig(Message):
    """Settings of session affinity."""

    clientIP: Annotated[ClientIPConfig | None, F(1, "Settings of affinity ClientIP.")] = None


class ServiceSpec(Message):
    """What a user wants of a Service."""

    ports: Annotated[
        list[ServicePort],
        F(
            1,
            "Ports that it offers.",
            merge=True,
            merge_key="port",
            list_type="map",
            list_keys=(
                "port",
                "protocol",
            ),
        ),
    ] = []
    selector: Annotated[
        dict[str, str],
        F(
            2,
            "Labels of the pods behind it; empty if others write its endpoints.",
            map_type="atomic",
        ),
    ] = {}
    clusterIP: Annotated[
        str, F(3, "Address in the cluster; None makes it headless: DNS names the pods.")
    ] = ""
    clusterIPs: Annotated[
        list[str],
        F(18, "Addresses, one for each family; clusterIP is the first.", list_type="atomic"),
    ] = []
    type: Annotated[
        str,
        F(
            4,
            "ClusterIP, NodePort, LoadBalancer or ExternalName.",
            enum=("ClusterIP", "ExternalName", "LoadBalancer", "NodePort"),
        ),
    ] = ""
    externalIPs: Annotated[
        list[str],
        F(
            5,
            "Addresses that others lead to nodes; nodes take traffic for them.",
            list_type="atomic",
        ),
    ] = []
    sessionAffinity: Annotated[
        str, F(7, "ClientIP keeps a client with one pod; else None.", enum=("ClientIP", "None"))
    ] = ""
    loadBalancerIP: Annotated[
        str, F(8, "Address wished of a balancer; its maker may ignore it.")
    ] = ""
    loadBalancerSourceRanges: Annotated[
        list[str], F(9, "Clients that a balancer lets in.", list_type="atomic")
    ] = []
    externalName: Annotated[str, F(10, "Name that DNS answers with, for type ExternalName.")] = ""
    externalTrafficPolicy: Annotated[
        str,
        F(
            11,
            "Local: nodes hand outside traffic to own pods only; else Cluster.",
            enum=("Cluster", "Local"),
        ),
    ] = ""
    healthCheckNodePort: Annotated[
        Int32, F(12, "Port that tells balancers whether a node has pods of it.")
    ] = 0
    publishNotReadyAddresses: Annotated[
        bool, F(13, "DNS and slices also take pods that are not ready.")
    ] = False
    sessionAffinityConfig: Annotated[
        SessionAffinityConfig | None, F(14, "Settings of session affinity.")
    ] = None
    ipFamilies: Annotated[
        list[str],
        F(19, "IPv4, IPv6 or both, the first being that of clusterIP.", list_type="atomic"),
    ] = []
    ipFamilyPolicy: Annotated[
        str | None,
        F(
            17,
            "SingleStack, PreferDualStack or RequireDualStack.",
            enum=("PreferDualStack", "RequireDualStack", "SingleStack"),
        ),
    ] = None
    allocateLoadBalancerNodePorts: Annotated[
        bool | None, F(20, "False: a balancer needs no node ports.")
    ] = None
    loadBalancerClass: Annotated[
        str | None, F(21, "Whose balancer it shall be; cannot change.")
    ] = None
    internalTrafficPolicy: Annotated[
        str | None,
        F(22, "Local: traffic from a node stays on it; else Cluster.", enum=("Cluster", "Local")),
    ] = None
    trafficDistribution: Annotated[
        str | None, F(23, "Wish for near endpoints: PreferSameZone or PreferSameNode.")
    ] = None


class PortStatus(Message):
    """How a port of a balancer is."""

    port: Annotated[Int32, F(1, "Port number.", required=True)] = always(int)
    protocol: Annotated[str, F(2, "Its protocol.", enum=("SCTP", "TCP", "UDP"), required=True)] = (
        always(str)
    )
    error: Annotated[str | None, F(3, "What is wrong with it, as CamelCase or domain/word.")] = None


class LoadBalancerIngress(Message):
    """A way in through a balancer."""

    ip: Annotated[str, F(1, "Address of the balancer.")] = ""
    hostname: Annotated[str, F(2, "Host name of the balancer, where it has no fixed address.")] = ""
    ipMode: Annotated[
        str | None, F(3, "VIP if traffic arrives with the balancer's address; else Proxy.")
    ] = None
    ports: Annotated[list[PortStatus], F(4, "How its ports are.", list_type="atomic")] = []


class LoadBalancerStatus(Message):
    """How a balancer is."""

    ingress: Annotated[list[LoadBalancerIngress], F(1, "Ways in.", list_type="atomic")] = []


class ServiceStatus(Message):
    """What was found out about a Service."""

    loadBalancer: Annotated[LoadBalancerStatus, F(1, "Its balancer, if it has one.")] = always(
        LoadBalancerStatus
    )
    conditions: Annotated[
        list[Condition],
        F(
            2,
            "Further aspects.",
            merge=True,
            merge_key="type",
            list_type="map",
            list_keys=("type",),
        ),
    ] = []


class Service(KubeObject):
    """One address and name for a set of pods."""

    spec: Annotated[ServiceSpec, F(2, "What is wanted.")] = always(ServiceSpec)
    status: Annotated[ServiceStatus, F(3, "What is.")] = always(ServiceStatus)
