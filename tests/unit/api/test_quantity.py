"""Quantities print the one text that upstream prints."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.api import quantity
from appliance.api.kinds.core.pod.container import Container, ResourceRequirements


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("0", "0"),
        (1, "1"),
        (0.5, "500m"),
        ("0.5", "500m"),
        ("1000m", "1"),
        ("1500m", "1500m"),
        ("1000", "1k"),
        ("1024", "1024"),
        ("1024Mi", "1Gi"),
        ("1.5Gi", "1536Mi"),
        ("0.1Ki", "102400m"),
        ("1.1Mi", "1153433600m"),
        ("1e3", "1e3"),
        ("1500e3", "1500e3"),
        ("1e-3", "1e-3"),
        ("0.1n", "1n"),
        ("-0.5", "-500m"),
        ("+5", "5"),
        (".5", "500m"),
        ("99999999999999999999", "9223372036854775807"),
    ],
)
def test_an_amount_has_one_text(written: str | float, canonical: str) -> None:
    assert quantity.canonical(written) == canonical


@pytest.mark.parametrize("text", ["", "abc", "1x", "1KI", "1.2.3", "m", "1 Gi", "1e9999"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(quantity.QuantityError):
        quantity.parse(text)


def test_whole_and_milli_values_round_up() -> None:
    assert quantity.value("1500m") == 2
    assert quantity.value("1Gi") == 2**30
    assert quantity.milli("250m") == 250
    assert quantity.milli("0.0001") == 1


def test_amounts_add_and_compare_exactly() -> None:
    total = quantity.parse("0.1") + quantity.parse("200m")
    assert str(total) == "300m"
    assert quantity.parse("1Gi") > quantity.parse("1G")
    assert quantity.parse("1000m") == quantity.parse("1")


@given(st.integers(-(10**15), 10**15), st.sampled_from(["", "m", "k", "Ki", "Mi", "u", "e2"]))
def test_the_canonical_text_means_the_same_amount(number: int, suffix: str) -> None:
    amount = quantity.parse(f"{number}{suffix}")
    assert quantity.parse(str(amount)) == amount
    assert quantity.canonical(str(amount)) == str(amount)


def test_all_quantities_of_an_object_are_put_right() -> None:
    container = Container(
        name="a", resources=ResourceRequirements(limits={"cpu": 0.5, "memory": "1024Mi"})
    )
    quantity.canonicalise(container)
    assert container.resources.limits == {"cpu": "500m", "memory": "1Gi"}
