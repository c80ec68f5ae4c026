"""How Go prints plain data in messages (`%v`): `map[a:1 b:[x y]]`.

Only messages need this: some quote what the user sent, and programs compare them.
"""

from typing import Any


def go_value(value: Any) -> str:
    """Print as Go's %v does: maps by sorted key, no quotes."""
    if isinstance(value, dict):
        inside = " ".join(f"{key}:{go_value(value[key])}" for key in sorted(value))
        return f"map[{inside}]"
    if isinstance(value, list):
        return "[" + " ".join(go_value(item) for item in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "<nil>"
    return str(value)
