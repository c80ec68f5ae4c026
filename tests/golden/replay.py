"""Replays one recorded scenario against a server and gives the raw answers.

Each scenario runs in a fresh namespace; templates in its requests are filled from earlier answers.
"""

import base64
import http.client
import json
import random
import re
import ssl
import string
import time
import urllib.parse

AGENT = "golden/1.0"
TEMPLATE = re.compile(r"\{\{([^{}]+)\}\}")


class Gone(Exception):
    """The server closed the connection or cannot be reached."""


# ---------------------------------------------------------------- transport


class Server:
    """Where to send requests, and as whom."""

    def __init__(self, url, token=None, ca=None, insecure=False, cert=None, key=None):
        parts = urllib.parse.urlsplit(url)
        self.tls = parts.scheme == "https"
        self.host, self.port = parts.hostname, parts.port or (443 if self.tls else 80)
        self.token = token
        self.plain = self._context(ca, insecure)
        self.admin = self._context(ca, insecure)
        if cert:
            self.admin.load_cert_chain(cert, key)

    @staticmethod
    def _context(ca, insecure):
        context = ssl.create_default_context(cafile=ca)
        if insecure or not ca:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def connect(self, as_admin, timeout):
        if not self.tls:
            return http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        context = self.admin if as_admin else self.plain
        return http.client.HTTPSConnection(self.host, self.port, timeout=timeout, context=context)


class Session:
    """One scenario's connections (kept alive per identity)."""

    def __init__(self, server):
        self.server, self.open = server, {}

    def send(self, method, path, headers, body, auth, timeout=30):
        as_admin = auth == "admin"
        sent = {"User-Agent": AGENT, "Accept": "application/json", **headers}
        token = self.server.token if as_admin else None if auth == "none" else auth
        if token:
            sent["Authorization"] = "Bearer " + token
        for last in (False, True):  # a kept connection may have ended meanwhile
            connection = self.open.pop(as_admin, None) or self.server.connect(as_admin, timeout)
            try:
                connection.request(method, path, body=body, headers=sent)
                return connection, connection.getresponse()
            except (http.client.HTTPException, OSError) as error:
                connection.close()
                if last:
                    raise Gone(str(error)) from error
        raise AssertionError("the last try returns or raises")

    def keep(self, auth, connection):
        self.open[auth == "admin"] = connection

    def close(self):
        for connection in self.open.values():
            connection.close()


def pointer(document, path):
    for part in path.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        document = document[int(key)] if isinstance(document, list) else document[key]
    return document


def fill(value, namespace, done):
    """Put the run's namespace and earlier answers into a request."""
    if isinstance(value, dict):
        return {fill(k, namespace, done): fill(v, namespace, done) for k, v in value.items()}
    if isinstance(value, list):
        return [fill(v, namespace, done) for v in value]
    if not isinstance(value, str) or "{{" not in value:
        return value

    def lookup(expression):
        if expression == "ns":
            return namespace
        if expression.startswith("repeat:"):
            _, text, times = expression.split(":")
            return text * int(times)
        if expression.startswith("base64:"):
            return base64.b64encode(
                fill("{{" + expression[7:] + "}}", namespace, done).encode()
            ).decode()
        step, path = expression.split(":", 1)
        try:
            return pointer(done[int(step)].get("body"), path)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError):
            return "missing"

    whole = TEMPLATE.fullmatch(value)
    if whole:
        return lookup(whole.group(1))
    return TEMPLATE.sub(lambda m: str(lookup(m.group(1))), value)


def fill_path(path, namespace, done):
    return TEMPLATE.sub(
        lambda m: urllib.parse.quote(str(fill(m.group(0), namespace, done)), safe=""), path
    )


def parse(raw, content_type):
    if "json" in content_type or raw[:1] in (b"{", b"["):
        try:
            return json.loads(raw)
        except ValueError:
            pass
    return raw.decode("utf-8", "replace")


def read_stream(response, connection, events, seconds):
    """Read JSON lines until enough of them came, the server ends, or time is up."""
    found, deadline, closed = [], time.monotonic() + seconds, False
    while events is None or len(found) < events:
        left = deadline - time.monotonic()
        if left <= 0:
            break
        if connection.sock:
            connection.sock.settimeout(left)
        try:
            line = response.readline()
        except TimeoutError:
            break
        except (OSError, http.client.HTTPException, ValueError):
            closed = True
            break
        if not line:
            closed = True
            break
        if line.strip():
            found.append(json.loads(line))
    return found, closed


def perform(session, step, namespace, done):
    request = step["request"]
    if request.get("delay"):
        time.sleep(request["delay"])
    path = fill_path(request["path"], namespace, done)
    headers = fill(request.get("headers", {}), namespace, done)
    body = None
    if "raw" in request:
        body = fill(request["raw"], namespace, done).encode()
    elif "body" in request:
        body = json.dumps(fill(request["body"], namespace, done)).encode()
    if body is not None and "Content-Type" not in headers:
        headers["Content-Type"] = "application/json"
    auth = fill(request.get("auth", "admin"), namespace, done)
    until = request.get("until")
    deadline = time.monotonic() + (until or {}).get("seconds", 0)
    while True:
        connection, response = session.send(request["method"], path, headers, body, auth)
        answer = {"status": response.status, "headers": kept_headers(response)}
        watch = request.get("watch")
        if watch and response.status == 200:
            events, closed = read_stream(
                response, connection, watch.get("events"), watch.get("seconds", 10)
            )
            answer["events"] = events
            if watch.get("events") is None:
                answer["closed"] = closed
            connection.close()
            return answer
        try:
            raw = response.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise Gone(f"status {response.status}, then {error}") from error
        if response.will_close:
            connection.close()
        else:
            session.keep(auth, connection)
        answer["body"] = parse(raw, response.headers.get("Content-Type", ""))
        if not until or response.status == until["status"] or time.monotonic() > deadline:
            return answer
        time.sleep(0.2)


def kept_headers(response):
    kept = {}
    if response.headers.get("Content-Type"):
        kept["Content-Type"] = response.headers["Content-Type"]
    warnings = response.headers.get_all("Warning")
    if warnings:
        kept["Warning"] = warnings
    return kept


def set_up(session, case, namespace):
    for suffix in case.get("namespaces", []):
        name = fill(suffix, namespace, [])
        quick(session, "POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        quick(
            session,
            "POST",
            f"/api/v1/namespaces/{name}/serviceaccounts",
            {"metadata": {"name": "default"}},
        )


def quick(session, method, path, body=None, content_type="application/json"):
    try:
        data = None if body is None else json.dumps(body).encode()
        connection, response = session.send(
            method, path, {"Content-Type": content_type}, data, "admin", 20
        )
        raw = response.read()
        session.keep("admin", connection)
    except Gone:
        return 0, b""
    return response.status, raw


def clean_up(session, case, namespace, made):
    for path in reversed(made):
        status, raw = quick(session, "DELETE", path + "?gracePeriodSeconds=0")
        if status in (200, 202) and b'"deletionTimestamp"' in raw:
            quick(
                session,
                "PATCH",
                path,
                {"metadata": {"finalizers": None}},
                "application/merge-patch+json",
            )
    for suffix in case.get("namespaces", []):
        quick(session, "DELETE", "/api/v1/namespaces/" + fill(suffix, namespace, []))


def run_case(server, case, clean=True):
    """Run a scenario; returns (namespace, raw answers)."""
    namespace = "gld-" + "".join(random.sample(string.ascii_lowercase, k=8))
    session, done, made = Session(server), [], []
    try:
        set_up(session, case, namespace)
        for step in case["steps"]:
            try:
                answer = perform(session, step, namespace, done)
            except Gone as error:
                answer = {"status": 0, "headers": {}, "body": f"no answer: {error}"}
            done.append(answer)
            note_made(made, step["request"], namespace, done)
        if clean:
            clean_up(session, case, namespace, made)
    finally:
        session.close()
    return namespace, done


def note_made(made, request, namespace, done):
    """Remember cluster-scoped objects, so that they can be removed."""
    body = done[-1].get("body")
    if done[-1]["status"] != 201 or not isinstance(body, dict) or "/namespaces/" in request["path"]:
        return
    name = body.get("metadata", {}).get("name") if isinstance(body.get("metadata"), dict) else None
    if name and namespace in name:
        path = fill_path(request["path"], namespace, done).split("?")[0]
        made.append(path if path.endswith("/" + name) else path + "/" + name)
