"""The image that every node has before its first pod."""

from pathlib import Path

import pytest

from appliance.testing import python_image

SHOP = Path(__file__).parents[1] / "shop.py"


@pytest.fixture(scope="session")
def appliance_images():
    """Our image. Where `docker build -t shop:dev .` made it, this is `["shop:dev"]`."""
    return [python_image("shop:dev", SHOP.read_text())]
