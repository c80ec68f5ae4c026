"""A rolling update from outside: kubeconfig and file in, the loop of `client.rolling` run."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from appliance.api.codec import to_plain
from appliance.client.http import HttpClient
from appliance.client.kubeconfig import KubeconfigError, read_kubeconfig
from appliance.client.rolling.manifest import controller_of
from appliance.client.rolling.order import Order, RollingFault
from appliance.client.rolling.update import Pace, RollingUpdate
from appliance.kit.clock import SystemClock

STDIN = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the cluster and the new controller are found."""

    kubeconfig: Path
    context: str = ""
    file: str = ""
    """A manifest, `-` is standard input; "" where the order needs none."""


async def roll(
    source: Source, order: Order, *, pace: Pace, say: Callable[[str], None]
) -> dict[str, Any]:
    """Carry out an order; returns the controller of the end as plain data.

    Raises:
        RollingFault: it can't be done, or does not get on.
    """
    try:
        access = read_kubeconfig(source.kubeconfig, source.context)
    except KubeconfigError as fault:
        raise RollingFault(f"{fault}; name one by --kubeconfig") from fault
    order = replace(order, namespace=order.namespace or access.namespace or "default")
    order = _with_file(order, source.file)
    client = HttpClient(access, agent="appliance-rolling-update")
    try:
        update = RollingUpdate(client, order, pace=pace, clock=SystemClock(), say=say)
        done: dict[str, Any] = to_plain(await update.run())
        return done
    finally:
        await client.close()


def _with_file(order: Order, file: str) -> Order:
    if not file:
        return order
    try:
        text = sys.stdin.read() if file == STDIN else Path(file).read_text()
    except OSError as error:
        raise RollingFault(f"{file} can't be read: {error.strerror}") from error
    made = controller_of(text, place=file, namespace=order.namespace)
    if order.new and order.new != made.metadata.name:
        raise RollingFault(f"{file} holds {made.metadata.name}, not {order.new}")
    if made.metadata.namespace != order.namespace:
        raise RollingFault(
            f"{file} is for namespace {made.metadata.namespace}, the update for {order.namespace}"
        )
    return replace(order, controller=made)
