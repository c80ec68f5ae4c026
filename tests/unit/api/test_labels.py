"""Label selectors as kubectl users write them."""

import pytest

from appliance.api import labels
from appliance.api.errors import BadRequest
from appliance.api.meta import LabelSelector, LabelSelectorRequirement

WEB = {"app": "web", "tier": "front", "rank": "7"}


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ("", True),
        ("app", True),
        ("!app", False),
        ("! old", True),
        ("app=web", True),
        ("app==web,tier=front", True),
        ("app != web", False),
        ("old!=x", True),
        ("tier in (front, edge)", True),
        ("tier notin (front,edge)", False),
        ("old notin (a)", True),
        ("old in ()", False),
        ("rank>6,rank<8", True),
        ("rank>7", False),
        ("app>1", False),
        ("in in (in)", False),
        ("example.com/x=", False),
    ],
)
@pytest.mark.seed("B03", "B04")
def test_a_selector_selects(text: str, *, selected: bool) -> None:
    assert labels.parse(text).matches(WEB) is selected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("t in", "unable to parse requirement: found '' expected: '('"),
        ("a=b,", "found '', expected: identifier after ','"),
        (",a", "found ',', expected: !, identifier, or 'end of string'"),
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("a=b c", "found 'c', expected: ',' or 'end of string'"),
    ],
)
def test_errors_are_worded_as_upstream_words_them(text: str, message: str) -> None:
    with pytest.raises(BadRequest) as caught:
        labels.parse(text)
    assert caught.value.message == message


def test_a_bad_value_is_refused_with_the_rule() -> None:
    with pytest.raises(BadRequest, match="a valid label must be an empty string or consist"):
        labels.parse("a=b:c")


def test_printing_and_parsing_agree() -> None:
    text = "!old,app=web,tier in (a,b),x!=1"
    assert str(labels.parse(text)) == "app=web,!old,tier in (a,b),x!=1"
    assert labels.parse(str(labels.parse(text))) == labels.parse(text)


def test_a_selector_of_the_api() -> None:
    selector = LabelSelector(
        matchLabels={"app": "web"},
        matchExpressions=[
            LabelSelectorRequirement(key="tier", operator="In", values=["front"]),
            LabelSelectorRequirement(key="old", operator="DoesNotExist"),
        ],
    )
    assert labels.from_label_selector(selector).matches(WEB)
    assert labels.from_label_selector(LabelSelector()).matches({})
    assert not labels.from_label_selector(None).matches({})
    assert labels.from_map({"app": "web"}).matches(WEB)
    assert labels.everything().matches(WEB)
