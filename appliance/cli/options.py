"""Configuration keys as click options, and the Config that a verb gets from them."""

import os
import sys
from collections.abc import Callable, Collection
from typing import Any

import click

from appliance.config.key import Key, Role
from appliance.config.keys import BY_NAME, keys_of
from appliance.config.load import load
from appliance.config.problems import ConfigError
from appliance.config.schema import Config
from appliance.config.storekeys import STORE

USAGE = 2
FAILED = 1
DATASTORE = tuple(f"datastore-{name}" for name in ("endpoint", "cafile", "certfile", "keyfile"))
"""Keys of verbs that go to the store themselves."""

Command = Callable[..., Any]


def configured(
    role: Role, *only: str, exclude: Collection[str] = ()
) -> Callable[[Command], Command]:
    """Give a verb `--config` and the options of its keys (all of the role, or `only` these)."""

    def wrap(command: Command) -> Command:
        for key in reversed(keys_of(role)):
            if key.name not in exclude and (not only or key.name in only):
                command = _option(key)(command)
        text = "YAML file with the same keys as the flags (default: /etc/appliance/config.yaml)."
        return click.option("--config", "config_file", default=None, help=text)(command)

    return wrap


def config_from(role: Role, flags: dict[str, Any]) -> Config:
    """Build the Config, or print every fault and end with code 2."""
    file = flags.pop("config_file", None)
    given = {
        name.replace("_", "-"): value
        for name, value in flags.items()
        if value is not None and value != () and name.replace("_", "-") in BY_NAME
    }
    try:
        return load(role, given, environ=os.environ, file=file)
    except ConfigError as wrong:
        for problem in wrong.problems:
            click.echo(f"appliance: {problem.text()}", err=True)
        sys.exit(USAGE)


def _option(key: Key) -> Callable[[Command], Command]:
    shown = key.default if key.default not in {"", ()} else None
    text = key.help + (f"  [default: {shown}]" if shown is not None and shown is not False else "")
    flag = f"--{key.name}"
    if key.kind == "bool" and key.roles == STORE:
        # As etcd takes them: with a value, too.
        return click.option(
            flag, is_flag=False, flag_value="true", default=None, help=text, type=bool
        )
    if key.kind == "bool":
        return click.option(flag, is_flag=True, default=None, help=text)
    if key.kind == "list":
        return click.option(flag, multiple=True, help=text)
    kind = click.Choice(key.choices) if key.choices else None
    return click.option(flag, default=None, type=kind, help=text)
