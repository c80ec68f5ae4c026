"""appliance rolling-update: exchange a replication controller's pods one by one."""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import yaml
from typing_extensions import override

from appliance.assembly.rolling import Source, roll
from appliance.cli.options import FAILED, config_from, configured
from appliance.client.rolling.order import Order, RollingFault
from appliance.client.rolling.update import Pace
from appliance.kit import jsonio
from appliance.kit.durations import seconds


class _Duration(click.ParamType[float]):
    """`20s`, `1m30s`."""

    name = "duration"

    @override
    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        try:
            return seconds(value)
        except ValueError as wrong:
            self.fail(f"{value!r} {wrong}", param, ctx)


_DURATION = _Duration()


@click.command(
    epilog="Exit codes: 0 updated, 1 failed or stopped, 2 wrong usage."
    "\n\nExample:  appliance rolling-update frontend --image=registry.example/frontend:2"
    "\n\nExample:  appliance rolling-update frontend-v1 -f frontend-v2.yaml --update-period=10s"
    "\n\nExample:  appliance rolling-update frontend --rollback",
)
@click.argument("old")
@click.argument("new", required=False, default="")
@click.option("--image", default="", help="Image for the new pods; without NEW, OLD's name stays.")
@click.option("-f", "--filename", default="", help="File with the new controller; - is stdin.")
@click.option("--rollback", is_flag=True, help="Turn an update that is under way back.")
@click.option("--container", default="", help="Which container --image is for, if several.")
@click.option("--image-pull-policy", default="", help="Pull policy that goes with --image.")
@click.option("--deployment-label-key", default="deployment", show_default=True,
              help="Label that tells old pods from new ones with --image.")  # fmt: skip
@click.option("--update-period", type=_DURATION, default="1m", show_default=True,
              help="How long a new pod must have served before an old one goes.")  # fmt: skip
@click.option("--poll-interval", type=_DURATION, default="3s", show_default=True,
              help="How often to look for new pods to be available.")  # fmt: skip
@click.option("--timeout", type=_DURATION, default="5m", show_default=True,
              help="Give up after so long without progress.")  # fmt: skip
@click.option("-n", "--namespace", default="", help="Namespace; the kubeconfig's unless said.")
@click.option("--kubeconfig", default="", help="Default: $KUBECONFIG, then the server's own.")
@click.option("--context", default="", help="Context of the kubeconfig.")
@click.option("-o", "--output", type=click.Choice(["table", "json", "yaml", "name"]),
              default="table", help="How to print the controller of the end.")  # fmt: skip
@configured("server", "data-dir")
def command(old: str, new: str, output: str, **flags: Any) -> None:
    """Exchange the pods of the replication controller OLD for those of another, one by one.

    An update that was stopped anywhere goes on when the same command is given again.
    """
    source, order, pace = _order(old, new, flags)
    try:
        # what is printed for programs stays apart from what people follow
        done = asyncio.run(
            roll(source, order, pace=pace, say=lambda t: click.echo(t, err=output != "table"))
        )
    except RollingFault as fault:
        click.echo(f"appliance: {fault}", err=True)
        sys.exit(FAILED)
    except KeyboardInterrupt:
        click.echo("appliance: stopped; the same command goes on, --rollback undoes it", err=True)
        sys.exit(FAILED)
    click.echo(_FORMATS[output](done, "rolled back" if order.rollback else "rolling updated"))


def _order(old: str, new: str, flags: dict[str, Any]) -> tuple[Source, Order, Pace]:
    image, file, rollback = flags.pop("image"), flags.pop("filename"), flags.pop("rollback")
    if sum(map(bool, (image, file, rollback))) != 1:
        raise click.UsageError("give one of --image, -f and --rollback")
    order = Order(
        namespace=flags.pop("namespace"),
        old=old,
        new=new,
        image=image,
        container=flags.pop("container"),
        pull_policy=flags.pop("image_pull_policy"),
        label_key=flags.pop("deployment_label_key"),
        rollback=rollback,
    )
    pace = Pace(
        update_period_s=flags.pop("update_period"),
        poll_interval_s=flags.pop("poll_interval"),
        timeout_s=flags.pop("timeout"),
    )
    named, context = flags.pop("kubeconfig") or os.environ.get("KUBECONFIG"), flags.pop("context")
    own = config_from("server", flags).data / "server" / "admin.kubeconfig"
    return Source(kubeconfig=Path(named or own), context=context, file=file), order, pace


def _table(done: dict[str, Any], what: str) -> str:
    return f"replicationcontroller/{done['metadata']['name']} {what}"


_FORMATS: dict[str, Callable[[dict[str, Any], str], str]] = {
    "table": _table,
    "name": lambda done, _what: f"replicationcontroller/{done['metadata']['name']}",
    "json": lambda done, _what: jsonio.pretty(done),
    "yaml": lambda done, _what: str(yaml.safe_dump(done, sort_keys=False)).rstrip(),
}
