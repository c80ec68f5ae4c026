"""Tokens as the administrator makes, sees and deletes them."""

from dataclasses import replace
from pathlib import Path

import pytest

from appliance.assembly import tokens
from appliance.client.joining import WrongToken
from appliance.config.schema import Config
from tests.unit.assembly.master import CLOCK, Master


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(role="server", data_dir=str(tmp_path / "master"))


async def test_a_token_lets_a_host_join_until_it_is_deleted(master: Master, config: Config) -> None:
    made = await tokens.create(config, CLOCK, ttl_s=3600, description="attic")
    assert made.token.startswith(f"K10{master.token()[3:67]}::{made.id}.")
    found = {one.id: one for one in await tokens.known(config, CLOCK)}
    assert (found[made.id].description, found[made.id].expired) == ("attic", False)
    assert found[made.id].expires == made.expires
    assert made.token.partition(".")[2] not in repr(found)
    assert (await master.join(made.token)).node_name == "pi-2"

    await tokens.delete(config, made.id)
    assert made.id not in {one.id for one in await tokens.known(config, CLOCK)}
    with pytest.raises(WrongToken):
        await master.join(made.token, node_name="pi-3", data_dir=f"{config.data_dir}-3")


async def test_a_token_for_ever_has_no_end(master: Master, config: Config) -> None:
    made = await tokens.create(config, CLOCK, ttl_s=0, description="")
    assert master
    assert made.expires == ""
    assert made.id in {one.id for one in await tokens.known(config, CLOCK) if not one.expires}


async def test_what_is_not_there_can_not_be_deleted(master: Master, config: Config) -> None:
    assert master
    with pytest.raises(tokens.TokenFault, match="there is no token abcdef"):
        await tokens.delete(config, "abcdef")


async def test_tokens_are_made_on_the_master(config: Config, tmp_path: Path) -> None:
    elsewhere = replace(config, data_dir=str(tmp_path / "elsewhere"))
    with pytest.raises(tokens.TokenFault, match="there is none under"):
        await tokens.known(elsewhere, CLOCK)
