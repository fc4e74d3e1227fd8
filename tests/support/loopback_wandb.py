"""A W&B server on the loopback: as much of the protocol as wandb's real client speaks when it fetches an artifact."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.support.loopback import Loopback, Request

KEY = "0123456789" * 4
"""The one API key the server takes; 40 characters, as a real one."""
CREATED = "2026-01-01T00:00:00Z"


@dataclass
class Version:
    """One version of an artifact, as its maker meant it; `served` is what comes over the wire where that differs."""

    files: dict[str, bytes]
    kind: str = "model"
    served: dict[str, bytes] = field(default_factory=dict)
    references: dict[str, str] = field(default_factory=dict)

    @property
    def manifest(self) -> bytes:
        contents: dict[str, Any] = {
            name: {"digest": _md5(content), "birthArtifactID": "QXJ0MQ==", "size": len(content)} for name, content in self.files.items()
        }
        contents |= {name: {"digest": "etag", "ref": ref, "size": 1} for name, ref in self.references.items()}
        return json.dumps(
            {"version": 1, "storagePolicy": "wandb-storage-policy-v1", "storagePolicyConfig": {"storageLayout": "V2"}, "contents": contents}
        ).encode()

    @property
    def digest(self) -> str:
        return hashlib.md5(self.manifest).hexdigest()


class LoopbackWandb(Loopback):
    """Serves `artifacts`: (entity, project, name) -> versions, v0 first; the last one is `latest` too."""

    def __init__(self, artifacts: Mapping[tuple[str, str, str], list[Version]] | None = None, port: int = 0) -> None:
        super().__init__(port)
        self.artifacts = dict(artifacts or {})
        self._others = threading.Event()
        self.operations: list[str] = []
        """GraphQL operations in the order they came."""
        self.fetched: list[str] = []
        """Artifact files that were asked for."""
        self.dies_on = ""
        """The file in the middle of which the server goes down; it waits until the others are through."""

    def environment(self) -> dict[str, str]:
        return {"WANDB_BASE_URL": self.address, "WANDB_API_KEY": KEY, "WANDB__GRAPHQL_RETRY_MAX": "1", "WANDB_SILENT": "true"}

    def get(self, request: Request) -> None:
        parts = [unquote(part) for part in urlsplit(request.path).path.split("/")[1:]]
        if parts[0] not in {"manifest", "file"}:
            return request.reply(404, b"{}")
        version = self.artifacts[(parts[1], parts[2], parts[3])][int(parts[4])]
        if parts[0] == "manifest":
            return request.reply(200, version.manifest)
        name = "/".join(parts[5:])
        self.fetched.append(name)
        content = version.served.get(name, version.files.get(name, b""))
        if name == self.dies_on:
            self._others.wait()
            request.reply(200, content, stop_at=len(content) // 2)
            return self.die()
        request.reply(200, content)
        if self.dies_on and len(set(self.fetched) - {self.dies_on}) == len(version.files) - 1:
            self._others.set()
        return None

    def post(self, request: Request) -> None:
        if request.path.startswith("/sdk/otel/"):  # the client's own telemetry
            return request.reply(200, b"{}")
        if request.headers.get("Authorization") != "Basic " + base64.b64encode(f"api:{KEY}".encode()).decode():
            return request.reply(401, json.dumps({"errors": [{"message": "user is not logged in"}]}).encode())
        asked = json.loads(request.body)
        named = re.search(r"(?:query|mutation)\s+(\w+)", asked["query"])
        operation = named[1] if named else ""
        self.operations.append(operation)
        answer = self.answers().get(operation)
        if answer is None:
            return request.reply(400, json.dumps({"errors": [{"message": f"this server does not know {operation}: {asked['query']}"}]}).encode())
        return request.reply(200, json.dumps({"data": answer(asked.get("variables") or {})}).encode())

    def answers(self) -> dict[str, Callable[[dict[str, Any]], dict[str, Any]]]:
        """GraphQL operation -> what answers it."""
        return {
            "Viewer": self._viewer,
            "ServerFeaturesQuery": self._server_features,
            "ArtifactMembershipByName": self._membership,
            "FetchArtifactManifest": self._manifest,
            "GetArtifactMembershipFileUrls": self._file_urls,
        }

    def _viewer(self, _: dict[str, Any]) -> dict[str, Any]:
        return {
            "viewer": {
                "id": "VXNlcjox", "name": "u", "deletedAt": None, "entity": "reader", "username": "u", "email": "u@example.com",
                "admin": False, "flags": "{}", "teams": {"edges": []}, "apiKeys": {"edges": []},
            }
        }  # fmt: skip

    def _server_features(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"serverInfo": {"features": []}}

    def _find(self, entity: str, project: str, name: str, alias: str) -> tuple[int, Version] | None:
        versions = self.artifacts.get((entity, project, name), [])
        number = len(versions) - 1 if alias == "latest" else int(alias[1:]) if re.fullmatch(r"v\d+", alias) else -1
        return (number, versions[number]) if 0 <= number < len(versions) else None

    def artifact(self, entity: str, project: str, name: str, number: int) -> dict[str, Any]:
        """Give a version as the protocol describes it."""
        collection = {
            "__typename": "ArtifactSequence",
            "name": name,
            "project": {"id": "P1", "internalId": "UHJvajox", "name": project, "entity": {"name": entity}},
        }
        version = self.artifacts[(entity, project, name)][number]
        return {
            "__typename": "Artifact", "id": ident(entity, project, name, str(number)), "artifactSequence": collection, "versionIndex": number,
            "artifactType": {"name": version.kind}, "description": None, "metadata": "{}", "ttlDurationSeconds": -1, "ttlIsInherited": False, "tags": [],
            "historyStep": None, "state": "COMMITTED", "size": sum(map(len, version.files.values())), "digest": version.digest, "commitHash": "c0",
            "fileCount": len(version.files), "createdAt": CREATED, "updatedAt": None,
        }  # fmt: skip

    def _membership(self, variables: dict[str, Any]) -> dict[str, Any]:
        entity, project = variables["entity"], variables["project"]
        if not any(key[:2] == (entity, project) for key in self.artifacts):
            return {"project": None}
        name, _, alias = variables["name"].partition(":")
        found = self._find(entity, project, name, alias)
        if not found:
            return {"project": {"artifactCollectionMembership": None}}
        number, _ = found
        artifact = self.artifact(entity, project, name, number)
        aliases = [{"__typename": "ArtifactAlias", "id": "A", "alias": "latest"}] if number == len(self.artifacts[(entity, project, name)]) - 1 else []
        membership = {
            "__typename": "ArtifactCollectionMembership", "id": "M1", "createdAt": CREATED, "versionIndex": number,
            "aliases": aliases, "artifactCollection": artifact["artifactSequence"], "artifact": artifact,
        }  # fmt: skip
        return {"project": {"artifactCollectionMembership": membership}}

    def _manifest(self, variables: dict[str, Any]) -> dict[str, Any]:
        path = "/".join(parts(variables["id"]))
        return {"artifact": {"currentManifest": {"file": {"directUrl": f"{self.address}/manifest/{path}"}}}}

    def _file_urls(self, variables: dict[str, Any]) -> dict[str, Any]:
        entity, project, name = variables["entity"], variables["project"], variables["collection"]
        found = self._find(entity, project, name, variables["alias"])
        assert found
        number, version = found
        edges = [
            {"node": {"__typename": "File", "name": file, "directUrl": f"{self.address}/file/{entity}/{project}/{name}/{number}/{file}?signature=1"}}
            for file in (*version.files, *version.references)
        ]
        files = {"pageInfo": {"__typename": "PageInfo", "endCursor": None, "hasNextPage": False}, "edges": edges}
        return {"project": {"artifactCollection": {"__typename": "ArtifactSequence", "artifactMembership": {"files": files}}}}


def _md5(content: bytes) -> str:
    return base64.b64encode(hashlib.md5(content).digest()).decode()


def ident(*names: str) -> str:
    return base64.b64encode("\n".join(names).encode()).decode()


def parts(ident: str) -> list[str]:
    return base64.b64decode(ident).decode().split("\n")
