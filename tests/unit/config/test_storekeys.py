"""Keys of the store that are more than a word or a number."""

import pytest

from appliance.config.compaction import AutoCompaction
from appliance.config.load import load
from appliance.config.problems import ConfigError


@pytest.mark.parametrize(
    ("mode", "retention", "kept"),
    [
        ("periodic", "0", AutoCompaction()),
        ("periodic", "8", AutoCompaction(keep_s=8 * 3600)),
        ("periodic", "1h30m", AutoCompaction(keep_s=5400)),
        ("revision", "0", AutoCompaction()),
        ("revision", "1000", AutoCompaction(keep_revisions=1000)),
    ],
)
def test_a_bare_number_is_hours_or_revisions(
    mode: str, retention: str, kept: AutoCompaction
) -> None:
    flags = {"auto-compaction-mode": mode, "auto-compaction-retention": retention}
    assert load("store", flags, environ={}).auto_compaction == kept


def test_quotas_have_a_size_behind_the_last_equals_sign() -> None:
    config = load("store", {"prefix-quota": ["a=b/=1Ki", "/registry/events/=32Mi"]}, environ={})
    assert config.prefix_quotas == {"a=b/": 1024, "/registry/events/": 32 << 20}


@pytest.mark.parametrize(
    ("key", "value", "other", "why"),
    [
        ("auto-compaction-retention", "1h", {"auto-compaction-mode": "revision"}, "such as 1000"),
        ("auto-compaction-retention", "-1", {}, "hours such as 8"),
        ("auto-compaction-mode", "hourly", {}, "one of periodic, revision"),
        ("max-txn-ops", "0", {}, "must be 1 or more"),
        ("prefix-quota", "/registry/", {}, "must be PREFIX=SIZE"),
        ("prefix-quota", "a=-1", {}, "must be PREFIX=SIZE"),
        ("prefix-quota", "a=lots", {}, "must be PREFIX=SIZE"),
        ("max-request-bytes", "no", {}, "whole number"),
        ("watch-progress-notify-interval", "10ms", {}, "must be 0.1 or more"),
        ("listen-metrics-urls", "https://127.0.0.1:2381", {}, "cert-file and key-file"),
    ],
)
def test_what_cannot_be_is_named(key: str, value: str, other: dict[str, str], why: str) -> None:
    with pytest.raises(ConfigError) as wrong:
        load("store", {key: value, **other}, environ={})
    assert key in str(wrong.value)
    assert why in str(wrong.value)
