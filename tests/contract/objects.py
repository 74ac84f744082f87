"""Our objects on the API server: one short way to create, replace and patch them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.support.apiserver import APPLY, MERGE, ApiError, ApiServer
from trainyard.api import names

Body = dict[str, Any]


@dataclass(frozen=True)
class Objects:
    """The objects of one namespace."""

    server: ApiServer
    namespace: str

    def path(self, kind: str, name: str = "", subresource: str = "") -> str:
        """URL path of a kind, of an object, or of its status."""
        parts = [
            "/apis",
            names.API_VERSION,
            "namespaces",
            self.namespace,
            names.KINDS[kind].plural,
            name,
            subresource,
        ]
        return "/".join(part for part in parts if part)

    def create(self, body: Body, *, dry: bool = False) -> Body:
        """Create, refusing unknown fields; dry means everything but storing it."""
        query = {"fieldValidation": "Strict", **({"dryRun": "All"} if dry else {})}
        return self.server.request("POST", self.path(body["kind"]), body, **query)

    def merge(self, kind: str, name: str, patch: Body, subresource: str = "") -> Body:
        """Patch as `kubectl patch --type=merge`."""
        return self.server.request("PATCH", self.path(kind, name, subresource), patch, content_type=MERGE)

    def apply_status(self, kind: str, name: str, status: Body, manager: str) -> Body:
        """Server-side apply on the status subresource."""
        body = {
            "apiVersion": names.API_VERSION,
            "kind": kind,
            "metadata": {"name": name, "namespace": self.namespace},
            "status": status,
        }
        path = self.path(kind, name, "status")
        return self.server.request(
            "PATCH", path, body, content_type=APPLY, fieldManager=manager, force="true"
        )

    def get(self, kind: str, name: str) -> Body:
        """Read one."""
        return self.server.request("GET", self.path(kind, name))

    def refusal(self, body: Body) -> str:
        """Why the server refuses to create this; empty when it does not."""
        try:
            self.create(body, dry=True)
        except ApiError as error:
            return error.message
        return ""
