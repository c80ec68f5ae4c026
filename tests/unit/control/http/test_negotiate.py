"""Accept headers."""

import pytest

from appliance.api.errors import NotAcceptable
from appliance.control.http.negotiate import JSON, YAML, Form, View, choose_form, media_type

KUBECTL_GET = (
    "application/json;as=Table;v=v1;g=meta.k8s.io,"
    "application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json"
)


@pytest.mark.parametrize(
    ("header", "form"),
    [
        ("", Form()),
        ("*/*", Form()),
        ("application/json", Form()),
        ("application/yaml", Form(YAML)),
        (KUBECTL_GET, Form(JSON, View.TABLE)),
        ("application/vnd.kubernetes.protobuf,application/json", Form()),
        ("application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io", Form(JSON, View.METADATA)),
        ("application/json;as=Nosuch;v=v1;g=meta.k8s.io,application/json", Form()),
        ("text/html;q=0.9,application/json;q=0.1", Form()),
    ],
)
def test_the_first_form_that_can_be_given_is(header: str, form: Form) -> None:
    assert choose_form(header) == form


def test_nothing_that_can_be_given_is_406_with_what_could_be() -> None:
    with pytest.raises(NotAcceptable) as caught:
        choose_form("text/plain")
    assert caught.value.message == (
        "only the following media types are accepted: application/json, application/yaml, "
        "application/vnd.kubernetes.protobuf, application/json;stream=watch, "
        "application/vnd.kubernetes.protobuf;stream=watch"
    )


def test_a_media_type_without_its_parameters() -> None:
    assert media_type("Application/JSON; charset=utf-8") == "application/json"
