"""The built-in ingress: where its files lie, where it listens, and its own certificate."""

from appliance.assembly.place import Place
from appliance.config.schema import Config
from appliance.control.ingress.keeper import IngressOptions
from appliance.control.ingress.process import HAProxy
from appliance.control.joining.certificates import Authorities
from appliance.kit.clock import Clock
from appliance.kit.pki import Subject, issue

_DAYS = 365
_OFF = "off"


def proxy_of(config: Config) -> HAProxy:
    """The HAProxy of this host, whether it runs or not."""
    return HAProxy(config.data / "server" / "ingress")


def ingress_options(
    config: Config, place: Place, authorities: Authorities, clock: Clock
) -> IngressOptions | None:
    """What the controller must be told; None where nobody asked for it."""
    if config.ingress == _OFF:
        return None
    subject = Subject(common_name="ingress", sans=(place.node_ip,), server=True, days=_DAYS)
    pair = issue(authorities.server, subject, now=clock.wall())
    return IngressOptions(
        proxy=proxy_of(config),
        address=place.node_ip,
        http_port=config.ingress_http_port,
        https_port=config.ingress_https_port,
        default_pem=pair.cert_pem + pair.key_pem,
    )
