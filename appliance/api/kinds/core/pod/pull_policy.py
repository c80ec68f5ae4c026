"""When an image is pulled, if the user does not say; for defaults of containers and volumes."""


def pull_policy(image: str) -> str:
    """`Always` where the tag is `latest` or missing: such an image may change under its name."""
    if "@" in image:
        return "IfNotPresent"
    last = image.rpartition("/")[2]
    tag = last.partition(":")[2]
    return "IfNotPresent" if tag and tag != "latest" else "Always"
