"""Static tokens out of a file: `token,user,uid,"group1,group2"`, one a line, as upstream has it.

Read once at start: to change a token, start the server anew.
"""

import csv
import io

from appliance.control.access.authn import StaticToken
from appliance.control.registry.base import User

_LEAST = 3  # token, user and uid; groups may be left out


def read_tokens(text: str) -> list[StaticToken]:
    """Read such a file.

    Raises:
        ValueError: a line is not of that form, or a token is there twice.
    """
    found: dict[str, StaticToken] = {}
    for number, row in enumerate(csv.reader(io.StringIO(text), skipinitialspace=True), 1):
        if not row or row[0].startswith("#"):
            continue
        if len(row) < _LEAST or not row[0].strip() or not row[1].strip():
            raise ValueError(f'line {number}: must be token,user,uid and maybe "group1,group2"')
        token, name, uid = (cell.strip() for cell in row[:_LEAST])
        if token in found:
            raise ValueError(f"line {number}: the token of {found[token].user.name} again")
        groups = row[_LEAST].split(",") if len(row) > _LEAST else []
        user = User(name=name, uid=uid, groups=tuple(g.strip() for g in groups if g.strip()))
        found[token] = StaticToken(token, user)
    return list(found.values())
