import pytest

from appliance.node.pressure.judge import Judge
from appliance.node.pressure.levels import MEMORY, NODE_DISK, Level
from appliance.node.pressure.reserve import allocatable, parse_reserved
from appliance.node.pressure.thresholds import (
    HARD,
    parse_reclaim,
    parse_thresholds,
)

GIB = 1 << 30


def test_the_words_of_kubelets_are_read() -> None:
    disk, memory = parse_thresholds("nodefs.available<10%, memory.available<100Mi")
    assert disk.amount.of(200 * GIB) == 20 * GIB
    assert memory.amount.of(8 * GIB) == 100 << 20
    assert memory.hard
    (soft,) = parse_thresholds("", "memory.available<1Gi", "memory.available=1m30s")
    assert (soft.grace_s, soft.hard) == (90.0, False)
    assert len(parse_thresholds(HARD)) == 4


@pytest.mark.parametrize(
    ("hard", "soft", "said"),
    [
        ("memory<1Gi", "", "memory.available<"),
        ("memory.available=1Gi", "", "memory.available<"),
        ("memory.available<many", "", "quantities"),
        ("nodefs.available<120%", "", "no part of a whole"),
        ("", "memory.available<1Gi", "eviction-soft-grace-period"),
    ],
)
def test_what_can_not_be_read_is_told(hard: str, soft: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_thresholds(hard, soft)


def test_allocatable_is_what_is_not_reserved_and_not_kept_free() -> None:
    capacity = {"cpu": "2", "memory": "4Gi", "ephemeral-storage": "100Gi", "pods": "110"}
    reserved = [parse_reserved("cpu=250m,memory=512Mi"), parse_reserved("memory=488Mi")]
    hard = parse_thresholds("memory.available<24Mi,nodefs.available<10%")
    assert allocatable(capacity, reserved, hard) == {
        "cpu": "1750m",
        "memory": "3Gi",
        "ephemeral-storage": "90Gi",
        "pods": "110",
    }
    assert allocatable({"memory": "1Gi"}, [parse_reserved("memory=2Gi")], [])["memory"] == "0"
    with pytest.raises(ValueError, match="gpu"):
        parse_reserved("gpu=1")


def levels(memory: int, disk: int = 50) -> dict[str, Level]:
    return {MEMORY: Level(memory, 1000), NODE_DISK: Level(disk, 100)}


def test_a_hard_threshold_acts_at_once_and_its_condition_outlives_it() -> None:
    judge = Judge(parse_thresholds("memory.available<100"), {}, 300)
    assert judge.judge(levels(100), 0).conditions == frozenset()
    verdict = judge.judge(levels(99), 10)
    assert verdict.conditions == {"MemoryPressure"}
    assert verdict.act_on is not None
    later = judge.judge(levels(500), 20)
    assert (later.conditions, later.act_on) == ({"MemoryPressure"}, None)
    assert judge.judge(levels(500), 309).conditions == {"MemoryPressure"}
    assert judge.judge(levels(500), 310).conditions == frozenset()


def test_a_soft_threshold_waits_and_starts_anew_after_a_rest() -> None:
    soft = parse_thresholds("", "memory.available<200", "memory.available=30s")
    judge = Judge(soft, {}, 0)
    first = judge.judge(levels(150), 0)
    assert (first.conditions, first.act_on) == ({"MemoryPressure"}, None)
    assert judge.judge(levels(150), 29).act_on is None
    assert judge.judge(levels(150), 30).act_on == soft[0]
    assert judge.judge(levels(250), 31).act_on is None
    assert judge.judge(levels(150), 40).act_on is None


def test_enough_has_to_be_freed() -> None:
    judge = Judge(parse_thresholds("nodefs.available<10%"), parse_reclaim("nodefs.available=5%"), 0)
    assert judge.judge(levels(500, disk=12), 0).act_on is None
    assert judge.judge(levels(500, disk=9), 10).act_on is not None
    assert judge.judge(levels(500, disk=12), 20).act_on is not None
    assert judge.judge(levels(500, disk=15), 30).act_on is None


def test_memory_comes_first() -> None:
    judge = Judge(parse_thresholds("nodefs.available<10%,memory.available<100"), {}, 0)
    verdict = judge.judge(levels(50, disk=1), 0)
    assert verdict.conditions == {"MemoryPressure", "DiskPressure"}
    assert verdict.act_on is not None
    assert verdict.act_on.signal == MEMORY
