"""The click group that all verbs hang on."""

import importlib

import click
from typing_extensions import override

from appliance import __version__

_VERBS = (
    "agent",
    "backup",
    "check",
    "history",
    "image",
    "join",
    "kubeconfig",
    "kubectl",
    "migrate",
    "reset",
    "restore",
    "rewind",
    "rolling-update",
    "server",
    "sql",
    "status",
    "store",
    "token",
    "undelete",
    "usage",
)


class _Verbs(click.Group):
    """Loads a verb's module only when it is asked for: `appliance --help` stays quick."""

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_VERBS)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _VERBS:
            return None
        module = importlib.import_module(f"appliance.cli.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="appliance")
def main() -> None:
    """Run and look after a small Kubernetes."""
