"""Answers that upstream gives without thinking; clients do not look at them, recordings do."""

from appliance.api.errors import ApiError


class Unclassified(ApiError):
    """A 500 without a reason: upstream returns some plain Go errors as they are."""

    reason = ""
