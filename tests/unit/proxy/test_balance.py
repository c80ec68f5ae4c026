"""Whose turn it is, and who sticks to whom for how long."""

from appliance.proxy import balance
from appliance.proxy.balance import Balancer
from appliance.proxy.table import Endpoint

A, B, C = (Endpoint(f"10.42.0.{n}", 80) for n in (1, 2, 3))


def test_everybody_in_turn() -> None:
    turn = Balancer((A, B, C))
    assert [turn.pick("x", 0.0) for _ in range(4)] == [A, B, C, A]


def test_a_client_stays_until_it_was_idle_for_so_long() -> None:
    turn = Balancer((A, B), 60)
    assert [turn.pick("x", now) for now in (0.0, 59.0, 118.0)] == [A, A, A]
    assert turn.pick("x", 178.0) == B


def test_clients_have_different_endpoints() -> None:
    turn = Balancer((A, B), 60)
    assert [turn.pick(client, 0.0) for client in "xyxy"] == [A, B, A, B]


def test_who_loses_his_endpoint_gets_another_and_the_rest_keep_theirs() -> None:
    turn = Balancer((A, B), 60)
    assert [turn.pick(client, 0.0) for client in "xy"] == [A, B]
    turn.update((B, C), 60)
    assert turn.pick("y", 1.0) == B
    assert turn.pick("x", 1.0) in {B, C}


def test_an_endpoint_that_does_not_answer_is_not_picked_again_by_affinity() -> None:
    turn = Balancer((A, B), 60)
    assert turn.pick("x", 0.0) == A
    turn.failed("x", A)
    assert turn.pick("x", 0.0) == B
    turn.failed("x", A)
    assert turn.pick("x", 0.0) == B, "what failed earlier says nothing of this one"


def test_at_the_bound_the_one_idle_longest_is_forgotten() -> None:
    turn = Balancer((A, B), 60)
    assert turn.pick("first", 0.0) == A
    for number in range(balance._MAX_CLIENTS - 1):
        turn.pick(str(number), 0.0)
    turn.pick("first", 1.0)
    turn.pick("one more", 1.0)
    assert len(turn._clients) == balance._MAX_CLIENTS
    assert "first" in turn._clients
    assert "0" not in turn._clients


def test_nobody_is_nobody() -> None:
    assert Balancer().pick("x", 0.0) is None
