"""Starts redis-server in its container, as master or as a replica.

ROLE says which. A replica finds its master by the service name `redis-master`, or, with
GET_HOSTS_FROM=env, by the variables that Kubernetes sets for the service of that name.
"""

import os
import sys


def arguments(environment: dict[str, str]) -> list[str]:
    """The command line of redis-server."""
    command = ["redis-server", "--protected-mode", "no", "--save", ""]
    if environment.get("ROLE") == "slave":
        host, port = "redis-master", environment.get("REDIS_MASTER_SERVICE_PORT", "6379")
        if environment.get("GET_HOSTS_FROM", "dns") == "env":
            host = environment["REDIS_MASTER_SERVICE_HOST"]
        command += ["--replicaof", host, port]
    return command


if __name__ == "__main__":
    os.execv("/usr/bin/redis-server", arguments(dict(os.environ)) + sys.argv[1:])  # noqa: S606
