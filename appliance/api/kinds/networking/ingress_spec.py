"""Ingress as a type; its rules are in `ingress.py`."""

from typing import Annotated, ClassVar

from appliance.api.kinds.core.references import TypedLocalObjectReference
from appliance.api.meta import KubeObject
from appliance.api.schema import F, Inline, Int32, Message, always, nullable


class ServiceBackendPort(Message):
    """A port by name or by number."""

    name: Annotated[str, F(1, "Its name.")] = ""
    number: Annotated[Int32, F(2, "Its number.")] = 0


class IngressServiceBackend(Message):
    """A port of a service."""

    name: Annotated[str, F(1, "Name of the service.", required=True)] = always(str)
    port: Annotated[ServiceBackendPort, F(2, "Its port.")] = always(ServiceBackendPort)


class IngressBackend(Message):
    """What answers requests: a service, or another object."""

    service: Annotated[IngressServiceBackend | None, F(4, "The service.")] = None
    resource: Annotated[
        TypedLocalObjectReference | None, F(3, "Another object in the namespace.")
    ] = None


class HTTPIngressPath(Message):
    """A path and the backend that answers it."""

    path: Annotated[str, F(1, "The path, beginning with a slash.")] = ""
    pathType: Annotated[
        str | None,
        F(3, "How it is compared: Exact, Prefix or ImplementationSpecific.", required=True),
    ] = nullable()
    backend: Annotated[IngressBackend, F(2, "What answers.", required=True)] = always(
        IngressBackend
    )


class HTTPIngressRuleValue(Message):
    """Where HTTP requests go, by path."""

    paths: Annotated[
        list[HTTPIngressPath], F(1, "The paths.", required=True, list_type="atomic")
    ] = always(list)


class IngressRuleValue(Message):
    """Where requests go, by protocol."""

    http: Annotated[HTTPIngressRuleValue | None, F(1, "Where HTTP requests go, by path.")] = None


class IngressRule(IngressRuleValue):
    """Where requests for one host go."""

    INLINE: ClassVar[Inline] = ((IngressRuleValue, 2),)
    host: Annotated[
        str, F(1, "Name of the host, which may begin with *.; all hosts unless said.")
    ] = ""


class IngressTLS(Message):
    """Hosts and the certificate for them."""

    hosts: Annotated[list[str], F(1, "Hosts that the certificate is for.", list_type="atomic")] = []
    secretName: Annotated[str, F(2, "Secret that holds certificate and key.")] = ""


class IngressSpec(Message):
    """What is wanted of an ingress."""

    ingressClassName: Annotated[str | None, F(4, "Class of the controller that serves it.")] = None
    defaultBackend: Annotated[
        IngressBackend | None, F(1, "Where requests go that no rule fits.")
    ] = None
    tls: Annotated[
        list[IngressTLS],
        F(2, "Hosts that are served over TLS, and their certificates.", list_type="atomic"),
    ] = []
    rules: Annotated[list[IngressRule], F(3, "Which requests go where.", list_type="atomic")] = []


class IngressPortStatus(Message):
    """A port of a point of entry."""

    port: Annotated[Int32, F(1, "Number of the port.", required=True)] = always(int)
    protocol: Annotated[str, F(2, "TCP, UDP or SCTP.", required=True)] = always(str)
    error: Annotated[str | None, F(3, "What is wrong with it, as one word.")] = None


class IngressLoadBalancerIngress(Message):
    """A point of entry of a load balancer."""

    ip: Annotated[str, F(1, "Its address.")] = ""
    hostname: Annotated[str, F(2, "Its name in DNS.")] = ""
    ports: Annotated[list[IngressPortStatus], F(4, "Its ports.", list_type="atomic")] = []


class IngressLoadBalancerStatus(Message):
    """Addresses of a load balancer."""

    ingress: Annotated[
        list[IngressLoadBalancerIngress], F(1, "Its points of entry.", list_type="atomic")
    ] = []


class IngressStatus(Message):
    """Where an ingress can be reached."""

    loadBalancer: Annotated[IngressLoadBalancerStatus, F(1, "Addresses of the load balancer.")] = (
        always(IngressLoadBalancerStatus)
    )


class Ingress(KubeObject):
    """Leads HTTP requests from outside to services."""

    spec: Annotated[IngressSpec, F(2, "What is wanted.")] = always(IngressSpec)
    status: Annotated[IngressStatus, F(3, "What was seen last.")] = always(IngressStatus)
