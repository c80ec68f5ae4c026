"""Field selectors."""

from dataclasses import replace

import pytest

from appliance.api import fields
from appliance.api.errors import BadRequest
from appliance.api.kinds.core.configmap import CONFIG_MAP
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.meta import ObjectMeta

KIND = replace(POD, selectable_fields={"spec.nodeName": lambda pod: pod.spec.nodeName})


def pod(name: str, node: str = "") -> Pod:
    made = Pod(metadata=ObjectMeta(name=name, namespace="ns"))
    made.spec.nodeName = node
    return made


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ("", True),
        ("metadata.name=a", True),
        ("metadata.name==a,metadata.namespace=ns", True),
        ("metadata.name!=a", False),
        ("spec.nodeName=", False),
        ("spec.nodeName!=", True),
        (r"spec.nodeName=n\,1", True),
    ],
)
def test_a_selector_selects(text: str, *, selected: bool) -> None:
    selector = fields.parse(text)
    selector.check(KIND)
    assert selector.matches(KIND, pod("a", "n,1")) is selected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("spec.nodeName", "invalid selector: 'spec.nodeName'; can't understand 'spec.nodeName'"),
        ("a=b=c", "invalid field selector: unescaped character in value: 61"),
    ],
)
def test_nonsense_is_refused(text: str, message: str) -> None:
    with pytest.raises(BadRequest) as caught:
        fields.parse(text)
    assert caught.value.message == message


def test_unknown_fields_are_refused_in_the_words_of_the_kind() -> None:
    with pytest.raises(BadRequest) as pods:
        fields.parse("spec.x=1").check(KIND)
    assert pods.value.message == "field label not supported: spec.x"
    with pytest.raises(BadRequest) as maps:
        fields.parse("spec.x=1").check(CONFIG_MAP)
    assert maps.value.message == (
        '"spec.x" is not a known field selector: only "metadata.name", "metadata.namespace"'
    )


def test_an_exact_name_is_told_and_printing_keeps_the_meaning() -> None:
    selector = fields.parse(r"metadata.name=a\=b,spec.nodeName!=c")
    assert selector.exact("metadata.name") == "a=b"
    assert selector.exact("spec.nodeName") is None
    assert fields.parse(str(selector)) == selector
