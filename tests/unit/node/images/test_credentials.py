import base64
import json
from typing import Any

from appliance.api.kinds.core.secret import Secret
from appliance.api.meta import ObjectMeta
from appliance.node.images.credentials import Keyring, Login, keyring, logins_for
from appliance.node.images.names import reference


def secret(auths: Any, key: str = ".dockerconfigjson") -> Secret:
    body = {"auths": auths} if key == ".dockerconfigjson" else auths
    return Secret(metadata=ObjectMeta(name="s"), data={key: json.dumps(body).encode()})


def auth(name: str, word: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{name}:{word}".encode()).decode()}


def users(ring: Keyring, image: str) -> list[str]:
    return [login.username for login in logins_for(ring, reference(image))]


def test_both_formats_and_both_ways_to_say_who() -> None:
    ring = keyring(
        [
            secret({"r.example": auth("ann", "a:b")}),
            secret({"old.example": {"username": "bob", "password": "x"}}, ".dockercfg"),
        ]
    )
    assert logins_for(ring, reference("r.example/web")) == [Login("ann", "a:b")]
    assert users(ring, "old.example/web") == ["bob"]
    assert users(ring, "web") == []


def test_the_more_particular_comes_first() -> None:
    ring = keyring(
        [
            secret(
                {
                    "https://r.example/v1/": auth("all", "1"),
                    "r.example/team": auth("team", "2"),
                    "r.example/team/web": auth("web", "3"),
                    "*.example": auth("any", "4"),
                    "r.example:5000": auth("port", "5"),
                }
            )
        ]
    )
    assert users(ring, "r.example/team/web:1") == ["web", "team", "all", "any"]
    assert users(ring, "r.example/teams/web") == ["all", "any"]
    assert users(ring, "r.example:5000/team/web") == ["port"]
    assert users(ring, "a.b.example/web") == []


def test_images_without_a_host_are_the_default_registrys() -> None:
    key = "https://index.docker.io/v1/"
    assert users(keyring([secret({key: auth("ann", "1")})]), "team/web") == ["ann"]


def test_rubbish_has_no_logins() -> None:
    rubbish = [
        secret({"r.example": {"auth": "%%%"}}),
        secret({"r.example": "no map"}),
        secret("no map"),
        Secret(data={".dockerconfigjson": b"{"}),
        Secret(),
    ]
    assert keyring(rubbish) == ()


def test_a_login_does_not_show_itself() -> None:
    login = Login("ann", "hush", "hush")
    assert "hush" not in repr(login)
    told = json.loads(base64.urlsafe_b64decode(Login("ann", "hush").header("r.example")))
    assert told == {"serveraddress": "r.example", "username": "ann", "password": "hush"}
