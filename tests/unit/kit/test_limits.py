"""What may be asked of the kernel here: asked of it, to see."""

import resource

from appliance.kit.limits import grantable


def test_a_child_may_really_have_what_is_said_to_be_grantable() -> None:
    numbers = {"nofile": resource.RLIMIT_NOFILE, "nproc": resource.RLIMIT_NPROC}
    for name, (soft, hard) in grantable().items():
        _, allowed = resource.getrlimit(numbers[name])
        assert 0 < soft <= hard
        assert allowed == resource.RLIM_INFINITY or hard <= allowed
