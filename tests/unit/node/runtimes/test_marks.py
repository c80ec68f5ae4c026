"""Marks and names of our containers."""

from appliance.node.runtimes import marks

WEB = marks.PodRef("default", "web", "5f1c")


def test_a_containers_pod_is_known_from_its_marks() -> None:
    labels = marks.of_pod("c1", "5f1c") | {marks.POD_NAME: "web", marks.POD_NAMESPACE: "default"}
    assert marks.pod_of(labels) == WEB
    assert labels[marks.CLUSTER] == "c1"


def test_a_container_of_nobody_has_no_pod() -> None:
    assert marks.pod_of(marks.of_cluster("c1")) is None


def test_names_are_those_that_kubelets_give() -> None:
    assert marks.container_name("POD", WEB, 0) == "k8s_POD_web_default_5f1c_0"
    assert marks.container_name("nginx", WEB, 3) == "k8s_nginx_web_default_5f1c_3"


def test_a_spoilt_restart_count_is_zero() -> None:
    assert marks.restart_count({marks.RESTART_COUNT: "7"}) == 7
    assert marks.restart_count({marks.RESTART_COUNT: "many"}) == 0
    assert marks.restart_count({}) == 0
