"""Why a call is refused, in etcd's words: clients match on the text.

Source: etcd api/v3rpc/rpctypes/error.go.
"""

from enum import Enum

from appliance.store.serve.status import Refused, Status

_PRE = "etcdserver: "


class Why(Enum):
    """A reason, with its code and its text."""

    ROOT_USER_MISSING = (Status.FAILED_PRECONDITION, _PRE + "root user does not exist")
    ROOT_ROLE_MISSING = (Status.FAILED_PRECONDITION, _PRE + "root user does not have root role")
    USER_EXISTS = (Status.FAILED_PRECONDITION, _PRE + "user name already exists")
    USER_EMPTY = (Status.INVALID_ARGUMENT, _PRE + "user name is empty")
    USER_NOT_FOUND = (Status.FAILED_PRECONDITION, _PRE + "user name not found")
    ROLE_EXISTS = (Status.FAILED_PRECONDITION, _PRE + "role name already exists")
    ROLE_EMPTY = (Status.INVALID_ARGUMENT, _PRE + "role name is empty")
    ROLE_NOT_FOUND = (Status.FAILED_PRECONDITION, _PRE + "role name not found")
    AUTH_FAILED = (
        Status.INVALID_ARGUMENT,
        _PRE + "authentication failed, invalid user ID or password",
    )
    PERMISSION_NOT_GIVEN = (Status.INVALID_ARGUMENT, _PRE + "permission not given")
    PERMISSION_DENIED = (Status.PERMISSION_DENIED, _PRE + "permission denied")
    ROLE_NOT_GRANTED = (Status.FAILED_PRECONDITION, _PRE + "role is not granted to the user")
    PERMISSION_NOT_GRANTED = (
        Status.FAILED_PRECONDITION,
        _PRE + "permission is not granted to the role",
    )
    NOT_ENABLED = (Status.FAILED_PRECONDITION, _PRE + "authentication is not enabled")
    INVALID_TOKEN = (Status.UNAUTHENTICATED, _PRE + "invalid auth token")
    INVALID_MANAGEMENT = (Status.INVALID_ARGUMENT, _PRE + "invalid auth management")
    OLD_REVISION = (Status.INVALID_ARGUMENT, _PRE + "revision of auth store is old")
    NO_PASSWORD_USER = (
        Status.UNKNOWN,
        "auth: authentication failed, password was given for no password user",
    )
    VERIFY_ONLY = (Status.UNKNOWN, "auth: token signing attempted with verify-only key")
    NO_NOTES = (
        Status.UNIMPLEMENTED,
        _PRE + "this store is kept in another etcd, and so are its users: ask that one",
    )


class AuthRefused(Refused):
    """A call is refused for who calls, or for what it wants of users and roles."""

    def __init__(self, why: Why) -> None:
        super().__init__(*why.value)
        self.why = why
