"""What a configuration key is; `keys.py` and `storekeys.py` have them all."""

from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["text", "int", "bool", "list", "seconds"]
Role = Literal["server", "agent", "store"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key; `name` as on the command line (`data-dir`), `roles` say which verbs take it."""

    name: str
    kind: Kind
    default: Any
    help: str
    roles: tuple[Role, ...] = ("server", "agent")
    choices: tuple[str, ...] = ()

    @property
    def attribute(self) -> str:
        """Name in Python: `data_dir`."""
        return self.name.replace("-", "_")
