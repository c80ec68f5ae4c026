"""Make, list and delete join tokens, through the API with the administrator's kubeconfig."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from appliance.api import jointoken
from appliance.api.errors import ApiError, NotFound
from appliance.api.kinds.core.secret import SECRET
from appliance.client.base import Where
from appliance.client.http import HttpClient
from appliance.client.kubeconfig import Access, KubeconfigError, read_kubeconfig
from appliance.config.schema import Config
from appliance.kit.clock import Clock, rfc3339


class TokenFault(Exception):
    """It can't be done; `str()` says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A new token: the only time that its text is seen."""

    id: str
    token: str = field(repr=False)
    expires: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A token as it is listed; `expires` is "" for never."""

    id: str
    expires: str
    expired: bool
    description: str


async def create(config: Config, clock: Clock, *, ttl_s: float, description: str) -> Made:
    """Make a token that is good for `ttl_s`; 0 is for ever."""
    expires = clock.wall() + ttl_s if ttl_s else None
    bearer = f"{_random(jointoken.ID_LENGTH)}.{_random(jointoken.SECRET_LENGTH)}"
    async with _api(config) as (client, access):
        secret = jointoken.to_secret(bearer, description=description, expires=expires)
        await client.create(SECRET, secret)
        token = jointoken.JoinToken(jointoken.ca_hash(access.ca_pem), bearer)
    return Made(
        id=jointoken.id_of(bearer),
        token=token.text(),
        expires=rfc3339(expires) if expires is not None else "",
        description=description,
    )


async def known(config: Config, clock: Clock) -> list[Known]:
    """All tokens, also those whose time is over."""
    async with _api(config) as (client, _access):
        where = Where(namespace=jointoken.NAMESPACE, fields=f"type={jointoken.TYPE}")
        found = (await client.list(SECRET, where)).items
    entries = []
    for secret in found:
        try:
            entries.append(jointoken.from_secret(secret))
        except ValueError:
            continue  # a token of another tool's making, which we can't check either
    return [
        Known(
            id=entry.id,
            expires=rfc3339(entry.expires) if entry.expires is not None else "",
            expired=entry.expired(clock.wall()),
            description=entry.description,
        )
        for entry in sorted(entries, key=lambda entry: entry.id)
    ]


async def delete(config: Config, token_id: str) -> None:
    """Delete a token: nobody can join with it from now on; nodes that have joined stay."""
    async with _api(config) as (client, _access):
        try:
            name = jointoken.secret_name(token_id)
            await client.delete(SECRET, name, namespace=jointoken.NAMESPACE)
        except NotFound:
            raise TokenFault(f"there is no token {token_id}; see `appliance token list`") from None


@asynccontextmanager
async def _api(config: Config) -> AsyncIterator[tuple[HttpClient, Access]]:
    path = config.data / "server" / "admin.kubeconfig"
    try:
        access = read_kubeconfig(path)
    except (OSError, KubeconfigError) as error:
        why = f"tokens are made on the master, and there is none under {config.data_dir}: {error}"
        raise TokenFault(why) from error
    client = HttpClient(access)
    try:
        yield client, access
    except ApiError as error:
        raise TokenFault(f"the API server says: {error}") from error
    finally:
        await client.close()


def _random(length: int) -> str:
    return "".join(secrets.choice(jointoken.ALPHABET) for _ in range(length))
