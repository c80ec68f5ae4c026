"""File, environment and flags become one frozen Config that knows where each value came from.

Later wins: default, `--config` file, files in `<config>.d/*.yaml` by name, `APPLIANCE_<KEY>` in the
environment, flag. Lists from different places do not add up. Only this module reads the
environment.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from appliance.config.key import Key, Role
from appliance.config.keys import BY_NAME, keys_of
from appliance.config.problems import ConfigError, Problem
from appliance.config.schema import Config
from appliance.kit.durations import seconds

DEFAULT_FILE = "/etc/appliance/config.yaml"
_TRUE, _FALSE = {"true", "1", "yes", "on"}, {"false", "0", "no", "off"}


def load(
    role: Role,
    flags: Mapping[str, Any],
    *,
    environ: Mapping[str, str],
    file: str | None = None,
) -> Config:
    """Merge all sources; `flags` holds only what was given, by key name.

    Raises:
        ConfigError: with every fault found.
    """
    problems: list[Problem] = []
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for origin, layer in _layers(flags, environ, file, problems):
        for name, raw in layer.items():
            key = BY_NAME.get(name)
            if key is None:
                problems.append(Problem(name, str(raw), origin, "there is no such key"))
                continue
            try:
                values[key.attribute] = _convert(key, raw)
                origins[key.name] = origin
            except ValueError as wrong:
                shown = "***" if name == "token" else str(raw)
                problems.append(Problem(name, shown, origin, str(wrong)))
    for key in keys_of(role):
        origins.setdefault(key.name, "default")
    if problems:
        raise ConfigError(problems)
    config = Config(role=role, origins=origins, **values)
    if faults := config.faults():
        raise ConfigError(faults)
    return config


def _layers(
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
    file: str | None,
    problems: list[Problem],
) -> list[tuple[str, Mapping[str, Any]]]:
    main = Path(file or DEFAULT_FILE)
    if file and not main.exists():
        problems.append(Problem("config", file, "flag", "there is no such file"))
    paths = [main, *sorted(Path(f"{main}.d").glob("*.yaml"))]
    layers = [(str(p), _read(p, problems)) for p in paths if p.exists()]
    prefix = "APPLIANCE_"
    known = {prefix + k.attribute.upper(): k.name for k in BY_NAME.values()}
    layers += [
        (f"environment {var}", {known[var]: text})
        for var, text in environ.items()
        if var in known and text
    ]
    layers += [(f"flag --{name}", {name: value}) for name, value in flags.items()]
    return layers


def _read(path: Path, problems: list[Problem]) -> Mapping[str, Any]:
    try:
        data = yaml.safe_load(path.read_text())
    except yaml.YAMLError as wrong:
        problems.append(Problem("config", str(path), "file", f"is not YAML: {wrong}"))
        return {}
    if data is None:
        return {}
    if not isinstance(data, dict):
        problems.append(Problem("config", str(path), "file", "must be a map of keys to values"))
        return {}
    return data


def _convert(key: Key, raw: Any) -> Any:
    value = _CONVERTERS[key.kind](raw)
    for part in value if isinstance(value, tuple) else (value,):
        if key.choices and part not in key.choices:
            raise ValueError(f"must be one of {', '.join(key.choices)}")
    return value


def _text(raw: Any) -> str:
    if isinstance(raw, dict | list):
        raise ValueError("must be one value")  # noqa: TRY004 - one error type for bad values
    return str(raw)


def _int(raw: Any) -> int:
    try:
        return int(raw)
    except (TypeError, ValueError):
        raise ValueError("must be a whole number") from None


def _bool(raw: Any) -> bool:
    text = str(raw).lower()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError("must be true or false")


def _list(raw: Any) -> tuple[str, ...]:
    if isinstance(raw, list | tuple):
        return tuple(part for item in raw for part in str(item).split(",") if part)
    return tuple(part for part in str(raw).split(",") if part)


_CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "text": _text,
    "int": _int,
    "bool": _bool,
    "list": _list,
    "seconds": seconds,
}
