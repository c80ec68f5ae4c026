"""Figures of control loops on /metrics."""

from prometheus_client import CollectorRegistry, generate_latest

from appliance.control.http.metrics import LoopCounts, LoopFigures


def test_loops_say_what_they_have_done() -> None:
    registry = CollectorRegistry()
    registry.register(LoopFigures(lambda: [LoopCounts("jobs", waiting=2, done=7, failed=3)]))
    lines = generate_latest(registry).decode().splitlines()
    assert 'workqueue_depth{name="jobs"} 2.0' in lines
    assert 'controller_runtime_reconcile_total{controller="jobs",result="success"} 4.0' in lines
    assert 'controller_runtime_reconcile_total{controller="jobs",result="error"} 3.0' in lines
