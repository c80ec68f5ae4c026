"""TODO."""

from typing import Annotated, ClassVar

from appliance.api.schema import F, Inline, Int32, Int64, IntOrString, Message, always, nullable


class ExecAction(Message):
    """TODO."""

    command: Annotated[list[str], F(1, "", list_type="atomic")] = []


class GRPCAction(Message):
    """TODO."""

    port: Annotated[Int32, F(1, "", required=True)] = always(int)
    service: Annotated[str | None, F(2, "")] = nullable()


class HTTPHeader(Message):
    """TODO."""

    name: Annotated[str, F(1, "", required=True)] = always(str)
    value: Annotated[str, F(2, "", required=True)] = always(str)


class HTTPGetAction(Message):
    """TODO."""

    path: Annotated[str, F(1, "")] = ""
    port: Annotated[IntOrString, F(2, "", required=True)] = always(int)
    host: Annotated[str, F(3, "")] = ""
    scheme: Annotated[str, F(4, "")] = ""
    httpHeaders: Annotated[list[HTTPHeader], F(5, "", list_type="atomic")] = []


class TCPSocketAction(Message):
    """TODO."""

    port: Annotated[IntOrString, F(1, "", required=True)] = always(int)
    host: Annotated[str, F(2, "")] = ""


class ProbeHandler(Message):
    """TODO."""

    exec: Annotated[ExecAction | None, F(1, "")] = None
    httpGet: Annotated[HTTPGetAction | None, F(2, "")] = None
    tcpSocket: Annotated[TCPSocketAction | None, F(3, "")] = None
    grpc: Annotated[GRPCAction | None, F(4, "")] = None


class Probe(ProbeHandler):
    """TODO."""

    INLINE: ClassVar[Inline] = ((ProbeHandler, 1),)
    initialDelaySeconds: Annotated[Int32, F(2, "")] = 0
    timeoutSeconds: Annotated[Int32, F(3, "")] = 0
    periodSeconds: Annotated[Int32, F(4, "")] = 0
    successThreshold: Annotated[Int32, F(5, "")] = 0
    failureThreshold: Annotated[Int32, F(6, "")] = 0
    terminationGracePeriodSeconds: Annotated[Int64 | None, F(7, "")] = None


class SleepAction(Message):
    """TODO."""

    seconds: Annotated[Int64, F(1, "", required=True)] = always(int)


class LifecycleHandler(Message):
    """TODO."""

    exec: Annotated[ExecAction | None, F(1, "")] = None
    httpGet: Annotated[HTTPGetAction | None, F(2, "")] = None
    tcpSocket: Annotated[TCPSocketAction | None, F(3, "")] = None
    sleep: Annotated[SleepAction | None, F(4, "")] = None


class Lifecycle(Message):
    """TODO."""

    postStart: Annotated[LifecycleHandler | None, F(1, "")] = None
    preStop: Annotated[LifecycleHandler | None, F(2, "")] = None
    stopSignal: Annotated[str | None, F(3, "")] = None
