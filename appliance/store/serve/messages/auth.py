"""Messages of the Auth service, and how users and roles are kept.

Source: etcd api/authpb/auth.proto, api/etcdserverpb/rpc.proto.
"""

from typing import Annotated

from appliance.store.serve.messages.kv import ResponseHeader
from appliance.store.serve.wire import UINT64, Message


class UserAddOptions(Message):
    """A user without a password comes by certificate."""

    no_password: Annotated[bool, 1] = False


class User(Message):
    """A user as it is kept; `password` is a hash."""

    name: Annotated[bytes, 1] = b""
    password: Annotated[bytes, 2] = b""
    roles: Annotated[list[str], 3] = []
    options: Annotated[UserAddOptions | None, 4] = None


class Permission(Message):
    """Read, write or both, on one key or [key, range_end)."""

    permType: Annotated[int, 1, ("READ", "WRITE", "READWRITE")] = 0  # noqa: N815 - the protocol's name
    key: Annotated[bytes, 2] = b""
    range_end: Annotated[bytes, 3] = b""


class Role(Message):
    """A role as it is kept."""

    name: Annotated[bytes, 1] = b""
    keyPermission: Annotated[list[Permission], 2] = []  # noqa: N815 - the protocol's name


class AuthResponse(Message):
    """The answer of most calls: the header alone."""

    header: Annotated[ResponseHeader | None, 1] = None


class AuthEnableRequest(Message):
    """Check from now on."""


class AuthDisableRequest(Message):
    """Check no more."""


class AuthStatusRequest(Message):
    """Are calls checked?"""


class AuthStatusResponse(Message):
    """Whether they are."""

    header: Annotated[ResponseHeader | None, 1] = None
    enabled: Annotated[bool, 2] = False
    authRevision: Annotated[int, 3, UINT64] = 0  # noqa: N815 - the protocol's name


class AuthenticateRequest(Message):
    """Give me a token."""

    name: Annotated[str, 1] = ""
    password: Annotated[str, 2] = ""


class AuthenticateResponse(Message):
    """The token."""

    header: Annotated[ResponseHeader | None, 1] = None
    token: Annotated[str, 2] = ""


class AuthUserAddRequest(Message):
    """Add a user; hashedPassword is made by the server and ignored from clients."""

    name: Annotated[str, 1] = ""
    password: Annotated[str, 2] = ""
    options: Annotated[UserAddOptions | None, 3] = None
    hashedPassword: Annotated[str, 4] = ""  # noqa: N815 - the protocol's name


class AuthUserGetRequest(Message):
    """What may a user?"""

    name: Annotated[str, 1] = ""


class AuthUserGetResponse(Message):
    """The user's roles."""

    header: Annotated[ResponseHeader | None, 1] = None
    roles: Annotated[list[str], 2] = []


class AuthUserListRequest(Message):
    """Who is there?"""


class AuthUserListResponse(Message):
    """All users."""

    header: Annotated[ResponseHeader | None, 1] = None
    users: Annotated[list[str], 2] = []


class AuthUserDeleteRequest(Message):
    """Remove a user."""

    name: Annotated[str, 1] = ""


class AuthUserChangePasswordRequest(Message):
    """Set a password."""

    name: Annotated[str, 1] = ""
    password: Annotated[str, 2] = ""
    hashedPassword: Annotated[str, 3] = ""  # noqa: N815 - the protocol's name


class AuthUserGrantRoleRequest(Message):
    """Give a user a role."""

    user: Annotated[str, 1] = ""
    role: Annotated[str, 2] = ""


class AuthUserRevokeRoleRequest(Message):
    """Take a role from a user."""

    name: Annotated[str, 1] = ""
    role: Annotated[str, 2] = ""


class AuthRoleAddRequest(Message):
    """Add a role."""

    name: Annotated[str, 1] = ""


class AuthRoleGetRequest(Message):
    """What does a role permit?"""

    role: Annotated[str, 1] = ""


class AuthRoleGetResponse(Message):
    """Its permissions."""

    header: Annotated[ResponseHeader | None, 1] = None
    perm: Annotated[list[Permission], 2] = []


class AuthRoleListRequest(Message):
    """Which roles are there?"""


class AuthRoleListResponse(Message):
    """All roles."""

    header: Annotated[ResponseHeader | None, 1] = None
    roles: Annotated[list[str], 2] = []


class AuthRoleDeleteRequest(Message):
    """Remove a role, from users as well."""

    role: Annotated[str, 1] = ""


class AuthRoleGrantPermissionRequest(Message):
    """Add a permission to a role, or change one."""

    name: Annotated[str, 1] = ""
    perm: Annotated[Permission | None, 2] = None


class AuthRoleRevokePermissionRequest(Message):
    """Take a permission from a role."""

    role: Annotated[str, 1] = ""
    key: Annotated[bytes, 2] = b""
    range_end: Annotated[bytes, 3] = b""
