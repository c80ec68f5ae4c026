"""Options in query strings, and the words in which bad ones are refused."""

import pytest

from appliance.api.errors import BadRequest, Invalid
from appliance.api.meta import DeleteOptions
from appliance.control.http.params import (
    default_manager,
    delete_options,
    list_query,
    parse_params,
    write_call,
)
from appliance.control.registry.base import User

ME = User(name="me")


def test_a_list_reads_its_options_from_the_query() -> None:
    params = parse_params(b"limit=500&labelSelector=tier%20in%20(a,b)&resourceVersion=7&limit=9")
    query = list_query(params, namespace="shop", watch=False)
    assert (query.namespace, query.limit, query.labels) == ("shop", 500, "tier in (a,b)")
    assert query.resource_version == "7"


def test_a_single_object_is_watched_by_a_field_selector() -> None:
    query = list_query(parse_params(b"fieldSelector=a%3Db"), namespace="n", name="x", watch=True)
    assert query.fields == "a=b,metadata.name=x"


def test_a_number_that_is_none_is_refused_in_the_words_of_go() -> None:
    with pytest.raises(BadRequest, match='parsing "x": invalid syntax'):
        list_query(parse_params(b"limit=x"), namespace="", watch=False)


@pytest.mark.parametrize(
    ("text", "watch", "message"),
    [
        (
            b"resourceVersionMatch=Exact",
            False,
            "resourceVersionMatch is forbidden unless resourceVersion is provided",
        ),
        (b"resourceVersion=0&resourceVersionMatch=Exact", False, '"exact" is forbidden for'),
        (b"sendInitialEvents=true", False, "sendInitialEvents is forbidden for list"),
        (b"sendInitialEvents=true", True, "requires setting resourceVersionMatch to NotOlderThan"),
        (b"resourceVersionMatch=NotOlderThan", True, "forbidden for watch unless"),
    ],
)
def test_options_that_exclude_each_other(text: bytes, watch: bool, message: str) -> None:
    with pytest.raises(Invalid) as caught:
        list_query(parse_params(text), namespace="", watch=watch)
    assert message in caught.value.message
    assert caught.value.message.startswith('ListOptions.meta.k8s.io "" is invalid: ')


def test_a_watch_may_ask_for_what_exists_first() -> None:
    text = b"sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    query = list_query(parse_params(text), namespace="", watch=True)
    assert (query.initial_events, query.bookmarks) == (True, True)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (b"dryRun=all", 'dryRun: Unsupported value: ["all"]: supported values: "All"'),
        (b"dryRun=", 'dryRun: Unsupported value: [""]: supported values: "All"'),
        (b"fieldManager=" + b"a" * 129, "fieldManager: Too long: may not be more than 128 bytes"),
        (b"fieldManager=%01", "invalid character U+0001 (at position 0)"),
        (b"fieldValidation=Foo", 'supported values: "", "Ignore", "Strict", "Warn"'),
    ],
)
def test_bad_options_of_a_write(text: bytes, cause: str) -> None:
    with pytest.raises(Invalid) as caught:
        write_call(parse_params(text), ME, agent="x", options="CreateOptions")
    assert cause in caught.value.message


def test_an_apply_must_name_its_manager_and_only_an_apply_may_force() -> None:
    with pytest.raises(Invalid, match="fieldManager: Required value: is required for apply patch"):
        write_call(parse_params(b""), ME, agent="x", options="PatchOptions", apply=True)
    with pytest.raises(Invalid, match="force: Forbidden: may not be specified for non-apply patch"):
        write_call(parse_params(b"force=true"), ME, agent="x", options="PatchOptions")


def test_the_writer_is_named_by_its_agent_if_it_does_not_say() -> None:
    call = write_call(
        parse_params(b"dryRun=All"), ME, agent="kubectl/v1.37.1", options="CreateOptions"
    )
    assert (call.field_manager, call.dry_run, call.field_validation) == ("kubectl", True, "Warn")
    assert default_manager("") == "unknown"


def test_delete_options_come_from_the_body_or_else_from_the_query() -> None:
    params = parse_params(b"gracePeriodSeconds=5&propagationPolicy=Orphan&dryRun=All")
    read = delete_options(params, None)
    assert (read.gracePeriodSeconds, read.propagationPolicy, read.dryRun) == (5, "Orphan", ["All"])
    assert delete_options(params, DeleteOptions(gracePeriodSeconds=0)).gracePeriodSeconds == 0


def test_a_delete_may_not_say_twice_what_becomes_of_dependents() -> None:
    both = DeleteOptions(orphanDependents=True, propagationPolicy="Orphan")
    with pytest.raises(Invalid, match="orphanDependents and deletionPropagation cannot be both"):
        delete_options(parse_params(b""), both)
