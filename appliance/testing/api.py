"""A small client for tests: apply manifests, look at objects, wait for them; in plain dicts.

`ApplianceCluster.client` is one. It finds the path of a kind by discovery, so kinds that a test
defines itself work, too. Errors of the API come as `ApiFault` with the server's own message.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
import yaml

from appliance.client.http import tls_context
from appliance.client.kubeconfig import Access
from appliance.kit.clock import Clock, SystemClock

Json = dict[str, Any]
Manifest = str | Path | Json
FIELD_MANAGER = "appliance-testing"
_APPLY = "application/apply-patch+yaml"
_REQUEST_S = 30.0
_LOOK_S = 0.1
_T = TypeVar("_T")


class ApiFault(Exception):
    """The API refused; `code` is the HTTP status, `reason` the API's word for it."""

    def __init__(self, answer: httpx.Response) -> None:
        try:
            body = answer.json()
        except ValueError:
            body = {}
        self.code = answer.status_code
        self.reason = str(body.get("reason", ""))
        super().__init__(f"{answer.request.method} {answer.request.url.path}: {answer.status_code} "
                         f"{body.get('message', answer.text[:300])}")  # fmt: skip


class Late(AssertionError):
    """Something did not come about in time; the message has the last thing seen."""


class Api:
    """Talks to one API server with one identity."""

    def __init__(self, access: Access, *, clock: Clock | None = None) -> None:
        self._http = httpx.Client(
            base_url=access.server, verify=tls_context(access), timeout=_REQUEST_S, trust_env=False
        )
        self._clock = clock or SystemClock()
        self._paths: dict[tuple[str, str], tuple[str, bool]] = {}

    def request(self, method: str, path: str, **options: Any) -> Any:
        """Any request; gives the decoded answer.

        Raises:
            ApiFault: the answer is an error.
        """
        answer = self._http.request(method, path, **options)
        if answer.status_code >= httpx.codes.BAD_REQUEST:
            raise ApiFault(answer)
        return answer.json() if "json" in answer.headers.get("content-type", "") else answer.text

    def apply(self, manifest: Manifest, *, namespace: str = "default") -> list[Json]:
        """Server-side apply of every object in a manifest: YAML text, a file, or an object.

        Raises:
            ApiFault: the API refuses one; those before it have been applied.
        """
        done = []
        for body in objects(manifest):
            path = self.path(body["apiVersion"], body["kind"], _namespace(body, namespace))
            done.append(
                self.request(
                    "PATCH",
                    f"{path}/{body['metadata']['name']}",
                    content=yaml.safe_dump(body),
                    params={"fieldManager": FIELD_MANAGER, "force": "true"},
                    headers={"Content-Type": _APPLY},
                )
            )
        return done

    def delete(self, manifest: Manifest, *, namespace: str = "default") -> None:
        """Delete the objects of a manifest, and what belongs to them, as kubectl does.

        Those that are not there are no fault.
        """
        for body in objects(manifest):
            path = self.path(body["apiVersion"], body["kind"], _namespace(body, namespace))
            try:
                name, query = body["metadata"]["name"], {"propagationPolicy": "Background"}
                self.request("DELETE", f"{path}/{name}", params=query)
            except ApiFault as fault:
                if fault.code != httpx.codes.NOT_FOUND:
                    raise

    def get(self, kind: str, name: str, *, namespace: str = "default", version: str = "v1") -> Json:
        """One object, such as `get("Service", "web")`."""
        found: Json = self.request("GET", f"{self.path(version, kind, namespace)}/{name}")
        return found

    def find(
        self, kind: str, *, selector: str = "", namespace: str = "default", version: str = "v1"
    ) -> list[Json]:
        """Objects of a kind, by label selector."""
        query = {"labelSelector": selector} if selector else {}
        found = self.request("GET", self.path(version, kind, namespace), params=query)
        items: list[Json] = found["items"]
        return items

    def wait(self, look: Callable[[], _T], *, timeout_s: float = 60.0) -> _T:
        """Call `look` until it gives something true, and return that.

        Raises:
            Late: it did not in time.
        """
        end = self._clock.monotonic() + timeout_s
        while not (found := look()):
            if self._clock.monotonic() > end:
                raise Late(f"not within {timeout_s:g} s; last seen: {found!r}")
            time.sleep(_LOOK_S)
        return found

    def wait_running(self, selector: str, count: int, *, timeout_s: float = 60.0) -> list[Json]:
        """Wait until so many pods with these labels are ready; gives them."""

        def look() -> list[Json]:
            here = [pod for pod in self.find("Pod", selector=selector) if is_ready(pod)]
            return here if len(here) == count else []

        return self.wait(look, timeout_s=timeout_s)

    def path(self, version: str, kind: str, namespace: str) -> str:
        """The URL path of a kind's collection, as the server's discovery tells it."""
        root = f"/api/{version}" if "/" not in version else f"/apis/{version}"
        if (version, kind) not in self._paths:
            for entry in self.request("GET", root)["resources"]:
                if "/" not in entry["name"]:
                    self._paths[version, entry["kind"]] = entry["name"], entry["namespaced"]
        try:
            plural, namespaced = self._paths[version, kind]
        except KeyError:
            raise LookupError(f"the server knows no kind {kind} in {version}") from None
        return f"{root}/namespaces/{namespace}/{plural}" if namespaced else f"{root}/{plural}"

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def objects(manifest: Manifest) -> Iterator[Json]:
    """The objects that a manifest holds; Lists are opened."""
    if isinstance(manifest, dict):
        found = [manifest]
    else:
        text = manifest.read_text() if isinstance(manifest, Path) else manifest
        found = [body for body in yaml.safe_load_all(text) if body]
    for body in found:
        if body.get("kind") == "List":
            yield from body["items"]
        else:
            yield body


def is_ready(item: Json) -> bool:
    """Whether a node or a pod is ready and not on its way out."""
    conditions = item.get("status", {}).get("conditions", ())
    ready = any((c["type"], c["status"]) == ("Ready", "True") for c in conditions)
    return ready and "deletionTimestamp" not in item["metadata"]


def _namespace(body: Json, default: str) -> str:
    return str(body["metadata"].get("namespace") or default)
