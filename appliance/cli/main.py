"""The click group that all verbs hang on."""

import click

from appliance import __version__


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="appliance")
def main() -> None:
    """Run and look after a small Kubernetes."""
