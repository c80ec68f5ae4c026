"""Look at this host and judge it, for the cluster that its configuration describes."""

from appliance.config.schema import Config
from appliance.host.checks.base import Finding
from appliance.host.checks.facts import Plan
from appliance.host.checks.gather import gather
from appliance.host.checks.table import judge
from appliance.kit.clock import SystemClock


async def check(config: Config, *, server: str = "") -> list[Finding]:
    """All findings; with `server` (a host or URL) also how our clock compares with its."""
    plan = Plan(
        data_dir=config.data_dir,
        # A host that names a server is, or will be, a worker.
        is_server=not server,
        api_port=config.https_listen_port,
        kubelet_port=config.kubelet_port,
        cluster_dns=config.dns_address,
        proxy_mode=config.proxy_mode,
        runtime=config.runtime,
    )
    return judge(await gather(plan, SystemClock(), server=server))
