"""appliance agent: the node agent, proxy and DNS of one host; `appliance server` starts it too."""

import importlib
from typing import Any

import click

from appliance.assembly.run import run
from appliance.assembly.worker import worker
from appliance.cli.options import config_from, configured


@click.command(epilog="Example:  appliance agent --data-dir /srv/appliance")
@click.option(
    "--with-parent",
    is_flag=True,
    help="Stop when standard input closes: how a server keeps its agent from outliving it.",
)
@configured("agent")
def command(with_parent: bool, **flags: Any) -> None:
    """Run the node agent in the foreground, with the credentials under --data-dir.

    With --server and no credentials yet, it joins first, as `appliance join` does.
    """
    config = config_from("agent", flags)
    if config.server and not with_parent:
        # what joining needs weighs 10 MB: an agent that belongs to a server does without
        config = importlib.import_module("appliance.cli.join").joined(config)
    raise SystemExit(run(config, worker, with_parent=with_parent))
