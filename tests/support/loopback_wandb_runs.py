"""The W&B loopback server with the half that takes runs and artifacts, for lineage and for explanations sent back."""

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, unquote

from tests.support.loopback import Request
from tests.support.loopback_wandb import LoopbackWandb, Version, ident, parts


class LoopbackRuns(LoopbackWandb):
    """Keeps what a client's runs used and logged; what was committed can be fetched again."""

    def __init__(self, artifacts: Mapping[tuple[str, str, str], list[Version]] | None = None, port: int = 0) -> None:
        super().__init__(artifacts, port)
        self.runs: list[tuple[str, str, str]] = []
        """(entity, project, job type) of every run."""
        self.used: list[str] = []
        """entity/project/name:version that runs named as their input."""
        self.metadata: dict[str, Any] = {}
        """Artifact -> what its maker said of it."""
        self._running: set[str] = set()
        self._uploading: dict[str, dict[str, bytes]] = {}
        self._made: dict[str, tuple[tuple[str, str, str], str]] = {}

    def answers(self) -> dict[str, Callable[[dict[str, Any]], dict[str, Any]]]:
        return super().answers() | {
            "UpsertBucket": self._upsert_bucket,
            "UseArtifact": self._use,
            "ArtifactType": self._type,
            "CreateRunFiles": lambda _: {"createRunFiles": {"runID": "UjE=", "uploadHeaders": [], "files": []}},
            "CreateArtifact": self._create,
            "CreateArtifactManifest": self._create_manifest,
            "CreateArtifactFiles": self._create_files,
            "UpdateArtifactManifest": lambda v: {"updateArtifactManifest": {"artifactManifest": self._manifest_file(v["artifactManifestID"])}},
            "CommitArtifact": self._commit,
            "ArtifactByID": self._by_id,
        }

    def post(self, request: Request) -> None:
        if request.path.startswith("/files/"):  # a run's own log
            return request.reply(200, b"{}")
        return super().post(request)

    def put(self, request: Request) -> None:
        made, name = (unquote(part) for part in request.path.removeprefix("/upload/").split("/", 1))
        self._uploading[made][name] = request.body
        request.reply(200, b"")

    def _upsert_bucket(self, variables: dict[str, Any]) -> dict[str, Any]:
        if variables["name"] not in self._running:  # it is asked again when the run ends
            self._running.add(variables["name"])
            self.runs.append((variables["entity"], variables["project"], variables.get("jobType") or ""))
        project = {"id": "P1", "name": variables["project"], "entity": {"id": "E1", "name": variables["entity"]}}
        bucket = {
            "id": "UjE=", "name": variables["name"], "displayName": variables["name"], "description": None, "config": "{}",
            "sweepName": None, "project": project, "historyLineCount": 0,
        }  # fmt: skip
        return {"upsertBucket": {"bucket": bucket, "inserted": True}}

    def _use(self, variables: dict[str, Any]) -> dict[str, Any]:
        entity, project, name, number = parts(variables["artifactID"])
        self.used.append(f"{entity}/{project}/{name}:v{number}")
        return {"useArtifact": {"artifact": {"id": variables["artifactID"]}}}

    def _type(self, variables: dict[str, Any]) -> dict[str, Any]:
        return {"project": {"artifact": None}}

    def _create(self, variables: dict[str, Any]) -> dict[str, Any]:
        asked = variables["input"]
        place = (asked["entityName"], asked["projectName"], asked["artifactCollectionName"])
        made = ident(*place, str(len(self.artifacts.get(place, []))))
        self._made[made] = (place, asked["artifactTypeName"])
        self._uploading[made] = {}
        self.metadata["/".join(place)] = json.loads(asked["metadata"] or "{}")
        return {"createArtifact": {"artifact": {"id": made, "state": "PENDING", "artifactSequence": {"latestArtifact": None}}}}

    def _manifest_file(self, made: str) -> dict[str, Any]:
        file = {"id": "F0", "name": "wandb_manifest.json", "displayName": "wandb_manifest.json", "uploadHeaders": []}
        return {"id": made, "file": file | {"uploadUrl": self._upload_url(made, "wandb_manifest.json")}}

    def _upload_url(self, made: str, name: str) -> str:
        return f"{self.address}/upload/{quote(made, safe='')}/{quote(name)}"

    def _create_manifest(self, variables: dict[str, Any]) -> dict[str, Any]:
        return {"createArtifactManifest": {"artifactManifest": self._manifest_file(variables["artifactID"])}}

    def _create_files(self, variables: dict[str, Any]) -> dict[str, Any]:
        nodes = [
            {
                "id": "F1", "name": file["name"], "displayName": file["name"], "uploadUrl": self._upload_url(file["artifactID"], file["name"]),
                "uploadHeaders": [], "uploadMultipartUrls": None, "storagePath": file["name"], "artifact": {"id": file["artifactID"]},
            }
            for file in variables["input"]["artifactFiles"]
        ]  # fmt: skip
        return {"createArtifactFiles": {"files": {"edges": [{"node": node} for node in nodes]}}}

    def _commit(self, variables: dict[str, Any]) -> dict[str, Any]:
        made = variables["artifactID"]
        place, kind = self._made[made]
        files = self._uploading[made]
        listed = json.loads(files.pop("wandb_manifest.json"))["contents"]
        assert listed.keys() == files.keys()
        self.artifacts.setdefault(place, []).append(Version(files, kind))
        return {"commitArtifact": {"artifact": {"id": made, "digest": "0"}}}

    def _by_id(self, variables: dict[str, Any]) -> dict[str, Any]:
        entity, project, name, number = parts(variables["id"])
        return {"artifact": self.artifact(entity, project, name, int(number))}
