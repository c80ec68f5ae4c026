"""How service accounts are named as users, and back. Pure.

Source: apiserver `pkg/authentication/serviceaccount`.
"""

from appliance.control.registry.base import User

PREFIX = "system:serviceaccount:"
ALL_ACCOUNTS = "system:serviceaccounts"


def account_user(namespace: str, name: str) -> str:
    """User name of a service account."""
    return f"{PREFIX}{namespace}:{name}"


def account_groups(namespace: str) -> tuple[str, ...]:
    """Groups that every service account of a namespace is in."""
    return ALL_ACCOUNTS, f"{ALL_ACCOUNTS}:{namespace}"


def account_of(user: str) -> tuple[str, str] | None:
    """Namespace and name of the service account that a user name stands for."""
    namespace, colon, name = user.removeprefix(PREFIX).partition(":")
    if not user.startswith(PREFIX) or not (namespace and colon and name) or ":" in name:
        return None
    return namespace, name


def user_of(namespace: str, name: str, uid: str = "") -> User:
    """Give the user that a service account is, but for system:authenticated."""
    return User(name=account_user(namespace, name), groups=account_groups(namespace), uid=uid)
