"""Probes and life-cycle hooks, and the actions that both are made of."""

from typing import Annotated, ClassVar

from appliance.api.schema import F, Inline, Int32, Int64, IntOrString, Message, always, nullable


class ExecAction(Message):
    """Runs a program in the container; exit code 0 is success."""

    command: Annotated[
        list[str],
        F(1, "Program and arguments; there is no shell unless you start one.", list_type="atomic"),
    ] = []


class GRPCAction(Message):
    """Calls the gRPC health service."""

    port: Annotated[Int32, F(1, "Port number.", required=True)] = always(int)
    service: Annotated[str | None, F(2, "Name of the service that is asked about.")] = nullable()


class HTTPHeader(Message):
    """A header of a request."""

    name: Annotated[str, F(1, "Name of the header.", required=True)] = always(str)
    value: Annotated[str, F(2, "Its value.", required=True)] = always(str)


class HTTPGetAction(Message):
    """Makes an HTTP request; codes 200 to 399 are success."""

    path: Annotated[str, F(1, "Path of the request.")] = ""
    port: Annotated[
        IntOrString, F(2, "Port number, or name of a port of the container.", required=True)
    ] = always(int)
    host: Annotated[str, F(3, "Host to connect to; the pod unless said.")] = ""
    scheme: Annotated[
        str, F(4, "HTTP or HTTPS; certificates are not checked.", enum=("HTTP", "HTTPS"))
    ] = ""
    httpHeaders: Annotated[
        list[HTTPHeader], F(5, "Headers of the request.", list_type="atomic")
    ] = []


class TCPSocketAction(Message):
    """Opens a connection; that it opens is success."""

    port: Annotated[
        IntOrString, F(1, "Port number, or name of a port of the container.", required=True)
    ] = always(int)
    host: Annotated[str, F(2, "Host to connect to; the pod unless said.")] = ""


class ProbeHandler(Message):
    """How to find out: one of these."""

    exec: Annotated[ExecAction | None, F(1, "Run a program.")] = None
    httpGet: Annotated[HTTPGetAction | None, F(2, "Make an HTTP request.")] = None
    tcpSocket: Annotated[TCPSocketAction | None, F(3, "Open a connection.")] = None
    grpc: Annotated[GRPCAction | None, F(4, "Call the gRPC health service.")] = None


class Probe(ProbeHandler):
    """How and how often to look whether a container is well."""

    INLINE: ClassVar[Inline] = ((ProbeHandler, 1),)
    initialDelaySeconds: Annotated[Int32, F(2, "Wait after the start before the first look.")] = 0
    timeoutSeconds: Annotated[Int32, F(3, "How long one look may take.")] = 0
    periodSeconds: Annotated[Int32, F(4, "How often to look.")] = 0
    successThreshold: Annotated[
        Int32, F(5, "Successes in a row that make it well; 1 but for readiness.")
    ] = 0
    failureThreshold: Annotated[Int32, F(6, "Failures in a row that make it unwell.")] = 0
    terminationGracePeriodSeconds: Annotated[
        Int64 | None, F(7, "Grace when this probe kills; the pod's unless said.")
    ] = None


class SleepAction(Message):
    """Waits."""

    seconds: Annotated[Int64, F(1, "How long.", required=True)] = always(int)


class LifecycleHandler(Message):
    """What to do: one of these."""

    exec: Annotated[ExecAction | None, F(1, "Run a program in the container.")] = None
    httpGet: Annotated[HTTPGetAction | None, F(2, "Make an HTTP request.")] = None
    tcpSocket: Annotated[
        TCPSocketAction | None, F(3, "No longer supported; fails when it is due.")
    ] = None
    sleep: Annotated[SleepAction | None, F(4, "Wait.")] = None


class Lifecycle(Message):
    """What to do when a container has started and before it stops."""

    postStart: Annotated[
        LifecycleHandler | None, F(1, "Right after the start; if it fails the container is killed.")
    ] = None
    preStop: Annotated[
        LifecycleHandler | None, F(2, "Before it is told to stop; the pod's grace runs meanwhile.")
    ] = None
    stopSignal: Annotated[str | None, F(3, "Signal that stops it; the image's unless said.")] = None
