"""`prefix-quota`: PREFIX=SIZE, the size in bytes or as 64Ki, 32Mi, 2Gi."""

from appliance.api.quantity import QuantityError, parse

_REMEDY = "must be PREFIX=SIZE such as /registry/events/=32Mi"


def prefix_quotas(texts: tuple[str, ...]) -> dict[str, int]:
    """Bytes by prefix.

    Raises:
        ValueError: one makes no sense; the text says what it must be.
    """
    found = {}
    for text in texts:
        prefix, equals, size = text.rpartition("=")
        try:
            amount = parse(size).value
        except QuantityError:
            raise ValueError(_REMEDY) from None
        if not (prefix and equals) or amount <= 0:
            raise ValueError(_REMEDY)
        found[prefix] = int(amount)
    return found
