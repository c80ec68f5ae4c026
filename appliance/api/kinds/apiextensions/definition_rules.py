"""What a definition gets where the user said nothing, and what must hold for it.

Source: apiextensions-apiserver `pkg/apis/apiextensions/{v1,validation}`.
"""

import re
from collections.abc import Iterator
from typing import Any

from appliance.api import faults, names
from appliance.api.custom.rules import check_rules
from appliance.api.custom.structural import EMBEDDED, INT_OR_STRING, PRESERVE
from appliance.api.errors import Cause
from appliance.api.kinds import checks
from appliance.api.kinds.apiextensions.customresourcedefinition import (
    CustomResourceDefinition,
    CustomResourceDefinitionSpec,
    CustomResourceDefinitionStatus,
)
from appliance.api.kinds.apiextensions.definition_parts import (
    CustomResourceConversion,
    CustomResourceDefinitionNames,
)

FINALIZER = "customresourcecleanup.apiextensions.k8s.io"
SCOPES = ("Cluster", "Namespaced")
TYPES = ("array", "boolean", "integer", "number", "object", "string")
_ROOT = "spec.validation.openAPIV3Schema"


def set_defaults(obj: CustomResourceDefinition) -> None:
    """Fill in names and the conversion."""
    spec = obj.spec
    spec.scope = spec.scope or "Namespaced"
    given = spec.names
    given.singular = given.singular or given.kind.lower()
    if given.kind:
        given.listKind = given.listKind or f"{given.kind}List"
    if spec.conversion is None:
        spec.conversion = CustomResourceConversion(strategy="None")


def prepare_create(obj: CustomResourceDefinition) -> None:
    """A new definition has yet to be accepted."""
    stored = [v.name for v in obj.spec.versions if v.storage][:1]
    obj.status = CustomResourceDefinitionStatus(storedVersions=stored or None)


def prepare_update(new: CustomResourceDefinition, old: CustomResourceDefinition) -> None:
    """The status stays, but for the version that is stored from now on."""
    new.status = old.status
    known = list(old.status.storedVersions or ())
    more = [v.name for v in new.spec.versions if v.storage and v.name not in known]
    if more:
        new.status = CustomResourceDefinitionStatus(
            conditions=old.status.conditions,
            acceptedNames=old.status.acceptedNames,
            storedVersions=known + more,
        )


def validate(obj: CustomResourceDefinition) -> list[Cause]:
    """Give every fault of a definition."""
    spec = obj.spec
    found = [
        *_group(spec.group),
        *_names(spec.names, "spec.names"),
        *_versions(spec),
        *_conversion(spec),
        *checks.one_of(spec.scope, SCOPES, "spec.scope"),
    ]
    wanted = f"{spec.names.plural}.{spec.group}"
    if obj.metadata.name != wanted:
        why = 'must be spec.names.plural+"."+spec.group'
        found.append(faults.wrong("metadata.name", obj.metadata.name, why))
    if not obj.status.storedVersions:
        why = "must have at least one stored version"
        found.append(faults.wrong("status.storedVersions", None, why))
    return found


def _group(group: str) -> Iterator[Cause]:
    if not group:
        yield faults.required("spec.group")
        return
    yield from checks.named(names.dns_subdomain, group, "spec.group")
    if "." not in group:
        yield faults.wrong("spec.group", group, "should be a domain with at least one dot")


def _names(given: CustomResourceDefinitionNames, path: str) -> Iterator[Cause]:
    yield from checks.named(names.dns_1035_label, given.plural, f"{path}.plural")
    if given.singular:
        yield from checks.named(names.dns_1035_label, given.singular, f"{path}.singular")
    for name in ("kind", "listKind"):
        value = getattr(given, name)
        if not value:
            yield faults.required(f"{path}.{name}")
        for why in names.dns_1035_label(value.lower()) if value else ():
            mixed = f"may have mixed case, but should otherwise match: {why}"
            yield faults.wrong(f"{path}.{name}", value, mixed)
    for word in ("shortNames", "categories"):
        for index, value in enumerate(getattr(given, word)):
            yield from checks.named(names.dns_1035_label, value, f"{path}.{word}[{index}]")
    if given.kind and given.kind == given.listKind:
        why = "kind and listKind may not be the same"
        yield faults.wrong(f"{path}.listKind", given.listKind, why)


def _versions(spec: CustomResourceDefinitionSpec) -> Iterator[Cause]:
    if sum(v.storage for v in spec.versions) != 1:
        why = "must have exactly one version marked as storage version"
        yield faults.wrong("spec.versions", spec.versions, why)
    seen: set[str] = set()
    for index, version in enumerate(spec.versions):
        here = f"spec.versions[{index}]"
        yield from checks.named(names.dns_1035_label, version.name, f"{here}.name")
        if version.name in seen:
            yield faults.wrong("spec.versions", version.name, "must contain unique version names")
        seen.add(version.name)
        schema = version.schema.openAPIV3Schema if version.schema else None
        path = _ROOT if len(spec.versions) == 1 else f"{here}.schema.openAPIV3Schema"
        if not isinstance(schema, dict):
            yield faults.required(f"{here}.schema.openAPIV3Schema")
        else:
            yield from _root(schema, path)


def _root(schema: dict[str, Any], path: str) -> Iterator[Cause]:
    kind = schema.get("type")
    if not kind:
        yield faults.required(f"{path}.type", "must not be empty at the root")
    elif kind != "object":
        yield faults.wrong(f"{path}.type", kind, "must be object at the root")
    yield from _parts(schema, path)
    yield from check_rules(schema, path)


def _node(schema: Any, path: str, what: str) -> Iterator[Cause]:
    if not isinstance(schema, dict):
        return
    kind = schema.get("type")
    open_ = schema.get(INT_OR_STRING) or schema.get(PRESERVE) or "$ref" in schema
    if not kind and not open_:
        yield faults.required(f"{path}.type", f"must not be empty for specified {what}")
    if kind and kind not in TYPES:
        yield faults.unsupported(f"{path}.type", kind, TYPES)
    if schema.get(EMBEDDED) and kind != "object":
        yield faults.wrong(
            f"{path}.type", kind or "", "must be object if x-kubernetes-embedded-resource is true"
        )
    if kind == "array" and not isinstance(schema.get("items"), dict):
        yield faults.required(f"{path}.items", "must be specified")
    yield from _parts(schema, path)


def _parts(schema: dict[str, Any], path: str) -> Iterator[Cause]:
    yield from _pattern(schema, path)
    if schema.get("uniqueItems"):
        why = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        yield faults.forbidden(f"{path}.uniqueItems", why)
    declared, others = schema.get("properties"), schema.get("additionalProperties")
    if declared and isinstance(others, dict):
        why = "additionalProperties and properties are mutual exclusive"
        yield faults.forbidden(f"{path}.additionalProperties", why)
    for name, part in (declared or {}).items():
        yield from _node(part, f"{path}.properties[{name}]", "object fields")
    if isinstance(others, dict):
        yield from _node(others, f"{path}.additionalProperties", "additionalProperties")
    if isinstance(schema.get("items"), dict):
        yield from _node(schema["items"], f"{path}.items", "array items")


def _pattern(schema: dict[str, Any], path: str) -> Iterator[Cause]:
    pattern = schema.get("pattern")
    if not pattern:
        return
    try:
        _ = re.compile(pattern)
    except re.error as error:
        missing = (
            "missing closing ]: `[`" if "unterminated character set" in str(error) else str(error)
        )
        why = f"must be a valid regular expression, but isn't: error parsing regexp: {missing}"
        yield faults.wrong(f"{path}.pattern", pattern, why)


def _conversion(spec: CustomResourceDefinitionSpec) -> Iterator[Cause]:
    if spec.conversion is None:
        return
    strategy, path = spec.conversion.strategy, "spec.conversion"
    yield from checks.one_of(strategy, ("None", "Webhook"), f"{path}.strategy")
    if strategy == "Webhook":
        yield faults.forbidden(
            f"{path}.strategy", "conversion by webhook is not supported by this server"
        )


def validate_update(new: CustomResourceDefinition, old: CustomResourceDefinition) -> list[Cause]:
    """Give every fault of a changed definition; once it is served, its names stay."""
    found = validate(new)
    if any(c.type == "Established" and c.status == "True" for c in old.status.conditions or ()):
        found += checks.same(new.spec.scope, old.spec.scope, "spec.scope")
        found += checks.same(new.spec.names.kind, old.spec.names.kind, "spec.names.kind")
    found += checks.same(new.spec.group, old.spec.group, "spec.group")
    return [*found, *checks.same(new.spec.names.plural, old.spec.names.plural, "spec.names.plural")]
