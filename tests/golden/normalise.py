"""Puts placeholders where two runs must differ: uids, revisions, times, allotted addresses.

Both the recording and our answers go through it, so that they can be compared word for word.
"""

import ipaddress
import json
import re

UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
JWT = re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]+")
SA_VOLUME = re.compile(r"kube-api-access-[a-z0-9]{5}\b")
AGE = re.compile(r"^(\d+(\.\d+)?(ms|[smhdy]))+$")
AGE_COLUMNS = {"Age", "Last Seen", "First Seen", "Duration", "Last Schedule"}
MESSAGE_NUMBERS = [
    (re.compile(r"(too old resource version: )\d+ \(\d+\)"), r"\1<n> (<n>)"),
    (re.compile(r"(Too large resource version: )\d+, current: \d+"), r"\1<n>, current: <n>"),
    (re.compile(r'(resourceVersion: ")\d+(?=")'), r"\1<n>"),
    (re.compile(r"(ResourceVersion in object meta: )\d+"), r"\1<n>"),
    (re.compile(r"(ResourceVersion in precondition: )\d+"), r"\1<n>"),
    (re.compile(r"(the ResourceVersion in record )\(\d+\)"), r"\1(<n>)"),
    (re.compile(r'(resourceVersion\\*":\\*")\d+'), r"\1<n>"),
]


class Normaliser:
    """Turns the answers of one scenario into a form that any run can give."""

    def __init__(self, case, namespace, answers):
        self.literal = json.dumps([step["request"] for step in case["steps"]])
        text = json.dumps(answers).replace(namespace, "{{ns}}")
        self.answers = json.loads(text)
        self.uids, self.ips, self.ports = {}, {}, {}
        prefixes = set(re.findall(r'"generateName": "([^"]+)"', self.literal))
        self.generated = [
            (
                re.compile(
                    r"(?<![\w-])" + re.escape(p[:58]) + "[bcdfghjklmnpqrstvwxz2456789]{5}(?![\\w-])"
                ),
                p[:58] + "<random>",
            )
            for p in sorted(prefixes)
        ]
        self.versions = {}
        for answer in self.answers:
            self.collect(answer)
        self.rank = {
            key: {v: i + 1 for i, v in enumerate(sorted(vs))} for key, vs in self.versions.items()
        }

    def run(self):
        steps = []
        for answer in self.answers:
            step = {"status": answer["status"], "headers": self.headers(answer.get("headers", {}))}
            if "events" in answer:
                step["events"] = [self.event(e) for e in answer["events"]]
            if "closed" in answer:
                step["closed"] = answer["closed"]
            if "body" in answer:
                step["body"] = self.value(answer["body"], "")
            steps.append(step)
        return steps

    # first pass: what was allotted by the server
    def collect(self, value):
        if isinstance(value, list):
            for v in value:
                self.collect(v)
        if not isinstance(value, dict):
            return
        metadata = value.get("metadata")
        if isinstance(metadata, dict):
            version = metadata.get("resourceVersion")
            if isinstance(version, str) and version.isdigit() and not self.is_list(value):
                self.versions.setdefault(self.key(metadata), set()).add(int(version))
        spec = value.get("spec")
        if isinstance(spec, dict):
            for ip in [spec.get("clusterIP"), *(spec.get("clusterIPs") or [])]:
                if isinstance(ip, str) and is_ip(ip) and ip not in self.literal:
                    self.ips.setdefault(ip, f"<ip:{len(self.ips) + 1}>")
        port = value.get("nodePort")
        if isinstance(port, int) and 30000 <= port <= 32767 and str(port) not in self.literal:
            self.ports[str(port)] = "<nodePort>"
        for v in value.values():
            self.collect(v)

    @staticmethod
    def is_list(value):
        return isinstance(value.get("items"), list) or "rows" in value

    @staticmethod
    def key(metadata):
        return metadata.get("uid") or f"{metadata.get('namespace')}/{metadata.get('name')}"

    # second pass: placeholders
    def event(self, event):
        if event.get("type") == "BOOKMARK":
            metadata = event.get("object", {}).get("metadata", {})
            if str(metadata.get("resourceVersion", "")).isdigit():
                metadata["resourceVersion"] = "<rv:bookmark>"
        return self.value(event, "")

    def headers(self, headers):
        return {
            k: [self.text(w) for w in v] if isinstance(v, list) else self.text(v)
            for k, v in headers.items()
        }

    def value(self, value, field):
        if isinstance(value, dict):
            return self.mapping(value)
        if isinstance(value, list):
            values = [self.value(v, field) for v in value]
            if field == "managedFields":
                values.sort(
                    key=lambda m: [
                        str(m.get(k)) for k in ("operation", "manager", "apiVersion", "subresource")
                    ]
                )
            elif field in ("resourceRules", "nonResourceRules"):
                values.sort(key=lambda r: json.dumps(r, sort_keys=True))
            elif field == "causes" and all(
                c.get("reason") == "FieldManagerConflict" for c in values
            ):
                values.sort(key=lambda c: (str(c.get("field")), str(c.get("message"))))
            return values
        if (
            (
                isinstance(value, int)
                and not isinstance(value, bool)
                and field in ("nodePort", "healthCheckNodePort")
            )
            and 30000 <= value <= 32767
            and str(value) not in self.literal
        ):
            return "<nodePort>"
        if isinstance(value, str):
            return self.string(value, field)
        return value

    def mapping(self, value):
        kind = value.get("kind")
        if kind == "Table" and "rows" in value:
            value = self.table(value)
        metadata = value.get("metadata")
        if isinstance(metadata, dict) and str(metadata.get("resourceVersion", "")).isdigit():
            metadata = dict(metadata)
            if self.is_list(value):
                metadata["resourceVersion"] = "<rv:list>"
            else:
                number = self.rank.get(self.key(metadata), {}).get(
                    int(metadata["resourceVersion"]), "?"
                )
                metadata["resourceVersion"] = f"<rv:{self.label(metadata)}.{number}>"
            value = {**value, "metadata": metadata}
        if "gitVersion" in value:
            return dict.fromkeys(value, "<version>")
        if "serverAddressByClientCIDRs" in value:
            value = {**value, "serverAddressByClientCIDRs": "<addresses>"}
        if isinstance(value.get("paths"), dict) and all(
            isinstance(v, dict) and "serverRelativeURL" in v for v in value["paths"].values()
        ):
            value = {
                **value,
                "paths": {k: {} for k in value["paths"] if "gld" not in k and "{{ns}}" not in k},
            }
        if kind in ("APIGroupList", "APIGroupDiscoveryList"):
            value = self.discovery(value)
        value = {self.text(k): self.value(v, k) for k, v in value.items()}
        return sorted_causes(value) if kind == "Status" else value

    @staticmethod
    def discovery(value):
        """Without the groups of scenarios that run at the same time."""
        value = dict(value)
        for field in ("groups", "items"):
            if isinstance(value.get(field), list):
                value[field] = [
                    g
                    for g in value[field]
                    if "example.com"
                    not in (g.get("name") or g.get("metadata", {}).get("name") or "")
                ]
        return value

    def label(self, metadata):
        uid = metadata.get("uid")
        return (
            self.uid(uid).strip("<>").replace("uid:", "")
            if uid and UUID.fullmatch(uid)
            else self.text(metadata.get("name") or "?")
        )

    def uid(self, uid):
        if uid in self.literal:
            return uid
        return self.uids.setdefault(uid, f"<uid:{len(self.uids) + 1}>")

    def table(self, value):
        columns = value.get("columnDefinitions") or []
        if columns:
            value = {**value, "columnDefinitions": [{**c, "description": ""} for c in columns]}
        else:
            value = dict(value)
        names = [c.get("name") for c in columns]
        rows = []
        for row in value.get("rows") or []:
            cells = list(row.get("cells") or [])
            for i, cell in enumerate(cells):
                aged = not names or (i < len(names) and names[i] in AGE_COLUMNS)
                if aged and isinstance(cell, str) and AGE.match(cell):
                    cells[i] = "<age>"
            rows.append({**row, "cells": cells})
        if value.get("rows") is not None:
            value["rows"] = rows
        return value

    def string(self, value, field):
        if field == "continue" and value:
            return "<continue>"
        if field == "storageVersionHash":
            return "<hash>"
        if field == "token" and len(value) > 40:
            return "<token>"
        return self.text(value)

    def text(self, value):
        if not isinstance(value, str):
            return value
        for pattern, placeholder in self.generated:
            value = pattern.sub(placeholder, value)
        for known, placeholder in list(self.ips.items()) + list(self.ports.items()):
            if known in value:
                value = re.sub(
                    r"(?<![\w.])" + re.escape(known) + r"(?![\w.]\w)", placeholder, value
                )
        value = UUID.sub(lambda m: self.uid(m.group(0)), value)
        value = JWT.sub("<token>", value)
        value = SA_VOLUME.sub("kube-api-access-<random>", value)
        value = STAMP.sub(
            lambda m: (
                m.group(0)
                if m.group(0) in self.literal
                else "<microtime>"
                if m.group(1)
                else "<time>"
            ),
            value,
        )
        for pattern, replacement in MESSAGE_NUMBERS:
            value = pattern.sub(replacement, value)
        return value


def sorted_causes(status):
    """Several field errors come in no fixed order; put them in one."""
    details = status.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    if not isinstance(causes, list) or len(causes) < 2:
        return status
    said = list(dict.fromkeys(f"{c.get('field')}: {c.get('message')}" for c in causes))
    message = str(status.get("message"))
    if message.endswith("[" + ", ".join(said) + "]"):
        message = message[: -len(", ".join(said)) - 1] + ", ".join(sorted(said)) + "]"
    causes = sorted(causes, key=lambda c: [str(c.get(k)) for k in ("field", "reason", "message")])
    return {**status, "message": message, "details": {**details, "causes": causes}}


def is_ip(text):
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
