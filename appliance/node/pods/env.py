"""Pure: the environment of a container.

Order of worth, the later wins: service variables, `envFrom` in its order, `env` in its order.
`$(NAME)` in a value means an earlier entry of `env`, or any variable from before; `$$(NAME)` is
the text `$(NAME)`; an unknown name stays as it is written. Called by `spec` with everything it
needs as data: ConfigMaps, Secrets, Services, the pod and its addresses.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from appliance.api.kinds.core.configmap import ConfigMap
from appliance.api.kinds.core.pod.container import Container as ContainerWish
from appliance.api.kinds.core.pod.container import EnvVarSource
from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.kinds.core.secret import Secret
from appliance.api.kinds.core.service import Service
from appliance.node.pods.downward import PodFacts, container_field, pod_field
from appliance.node.pods.service_env import service_variables

_REFERENCE = re.compile(r"\$\$|\$\(([^()$]*)\)")
MASTER_NAMESPACE = "default"
MASTER_SERVICES = frozenset({"kubernetes"})


class EnvironmentFault(Exception):
    """A variable can't be made; `str()` is the message of CreateContainerConfigError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What variables may refer to, of the pod's namespace; missing objects are not in the maps."""

    config_maps: Mapping[str, ConfigMap] = field(default_factory=dict)
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    services: Iterable[Service] = ()
    """Services of the pod's namespace and of `default`."""
    kubernetes_host: str = ""
    """Where pods reach the API, when the `kubernetes` service is not known."""
    kubernetes_port: int = 443


def environment(
    pod: Pod, wish: ContainerWish, sources: Sources, facts: PodFacts
) -> tuple[tuple[str, str], ...]:
    """All variables of a container.

    Raises:
        EnvironmentFault: a ConfigMap, a Secret or a key that is not optional is missing.
    """
    made = dict(_from_services(pod, sources))
    for source in wish.envFrom:
        if source.configMapRef is not None:
            ref = source.configMapRef
            texts = _config_map_texts(sources, ref.name, optional=bool(ref.optional), key=None)
        elif source.secretRef is not None:
            secret_ref = source.secretRef
            texts = _secret_texts(
                sources, secret_ref.name, optional=bool(secret_ref.optional), key=None
            )
        else:
            continue
        made.update({source.prefix + name: text for name, text in texts.items() if name})
    for variable in wish.env:
        if variable.valueFrom is None:
            made[variable.name] = expand(variable.value, made)
            continue
        text = _value_from(variable.valueFrom, pod, wish, sources=sources, facts=facts)
        if text is not None:
            made[variable.name] = text
    return tuple(made.items())


def expand(text: str, known: Mapping[str, str]) -> str:
    """Replace `$(NAME)` by its value."""

    def one(found: re.Match[str]) -> str:
        if found.group(0) == "$$":
            return "$"
        return known.get(found.group(1), found.group(0))

    return _REFERENCE.sub(one, text)


def visible_services(pod: Pod, services: Iterable[Service]) -> list[Service]:
    """The services whose variables a pod gets.

    Those of its own namespace (unless `enableServiceLinks` is false), and always the master's;
    one of the pod's own namespace hides the master's of the same name.
    """
    links = pod.spec.enableServiceLinks is not False
    mine: dict[str, Service] = {}
    for service in services:
        namespace, name = service.metadata.namespace, service.metadata.name
        if not service.spec.clusterIP or service.spec.clusterIP == "None":
            continue
        if namespace == pod.metadata.namespace and links:
            mine[name] = service
        elif namespace == MASTER_NAMESPACE and name in MASTER_SERVICES:
            mine.setdefault(name, service)
    return [mine[name] for name in sorted(mine)]


def _from_services(pod: Pod, sources: Sources) -> dict[str, str]:
    chosen = visible_services(pod, sources.services)
    made: dict[str, str] = {}
    if sources.kubernetes_host and not any(s.metadata.name == "kubernetes" for s in chosen):
        made["KUBERNETES_SERVICE_HOST"] = sources.kubernetes_host
        made["KUBERNETES_SERVICE_PORT"] = str(sources.kubernetes_port)
    for service in chosen:
        made.update(service_variables(service))
    return made


def _value_from(
    source: EnvVarSource, pod: Pod, wish: ContainerWish, *, sources: Sources, facts: PodFacts
) -> str | None:
    if source.fieldRef is not None:
        return pod_field(pod, source.fieldRef.fieldPath, facts)
    if source.resourceFieldRef is not None:
        return container_field(pod, wish, source.resourceFieldRef, facts)
    if source.configMapKeyRef is not None:
        ref = source.configMapKeyRef
        return _config_map_texts(sources, ref.name, optional=bool(ref.optional), key=ref.key).get(
            ref.key
        )
    if source.secretKeyRef is not None:
        secret_ref = source.secretKeyRef
        return _secret_texts(
            sources, secret_ref.name, optional=bool(secret_ref.optional), key=secret_ref.key
        ).get(secret_ref.key)
    return ""


def _config_map_texts(
    sources: Sources, name: str, *, optional: bool, key: str | None
) -> Mapping[str, str]:
    found = sources.config_maps.get(name)
    if found is None:
        if optional:
            return {}
        raise EnvironmentFault(f'configmap "{name}" not found')
    if key is not None and key not in found.data and not optional:
        where = f"{found.metadata.namespace}/{name}"
        raise EnvironmentFault(f"couldn't find key {key} in ConfigMap {where}")
    return found.data


def _secret_texts(
    sources: Sources, name: str, *, optional: bool, key: str | None
) -> Mapping[str, str]:
    found = sources.secrets.get(name)
    if found is None:
        if optional:
            return {}
        raise EnvironmentFault(f'secret "{name}" not found')
    if key is not None and key not in found.data and not optional:
        where = f"{found.metadata.namespace}/{name}"
        raise EnvironmentFault(f"couldn't find key {key} in Secret {where}")
    return {k: data.decode(errors="replace") for k, data in found.data.items()}
