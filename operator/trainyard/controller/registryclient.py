"""What is asked of MLflow's registry, in plain blocking calls; `registry` runs them in a thread of their own.

mlflow-skinny is imported with the first call, not with this module: an operator whose users promote nothing
does not pay for it. Every change looks for its own result first, so that a repeated one changes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from trainyard.core.plan import Register
from trainyard.core.serving_observed import RegistryFacts
from trainyard.core.serving_plan import MoveAlias
from trainyard.core.tags import TAG_ARTIFACT_URI, TAG_CLAIM, TAG_UID, version_facts

CHAMPION = "champion"
PACKAGE = "artifacts/package"
"""Where the trainer's package lies in a logged model: pyfunc puts the artifact `package` there."""
TIMEOUT_SECONDS, RETRIES = 8, 1
_MISSING = "RESOURCE_DOES_NOT_EXIST"
_TAKEN = "RESOURCE_ALREADY_EXISTS"
_PAGE = 200


class Refused(Exception):  # noqa: N818 - reads as what happened
    """What was asked cannot be done as things are; the message says what to do."""


class RegistryClient:
    """The registry of one MLflow server; for one thread. `may_write` is asked before each change."""

    def __init__(self, uri: str, may_write: Callable[[], bool] = lambda: True) -> None:
        self._uri = uri
        self._may_write = may_write
        self._client: Any = None

    def read(self, model: str) -> RegistryFacts:
        """Everything that decisions look at of one registered model."""
        found = self._model(model)
        if found is None:
            return RegistryFacts()
        versions = [version_facts(v.version, dict(v.tags)) for v in self._versions(model)]
        versions.sort(key=lambda v: v.number)
        aliases = {name: int(number) for name, number in dict(found.aliases).items()}
        return RegistryFacts(dict(found.tags).get(TAG_CLAIM, ""), tuple(versions), aliases)

    def register(self, action: Register) -> None:
        """Make the version of a TrainingJob, and the model before the first one.

        Raises:
            Refused: when the model is somebody else's, the trainer's package is not where it should be, or
                another operator leads.
        """
        self._check_lead()
        self._claim(action)
        if any(dict(v.tags).get(TAG_UID) == action.uid for v in self._versions(action.model)):
            return
        logged = self._logged_model(action.source)
        location = str(logged.artifact_location).rstrip("/")
        self._check_lead()
        tags = {**action.tags, TAG_UID: action.uid, TAG_ARTIFACT_URI: f"{location}/{PACKAGE}"}
        self._connected().create_model_version(
            action.model,
            action.source,
            run_id=action.run_id or None,
            tags=tags,
            await_creation_for=0,
            model_id=logged.model_id,
        )

    def move_alias(self, action: MoveAlias) -> None:
        """Let `champion` name a version.

        Raises:
            Refused: Another operator leads.
        """
        self._check_lead()
        self._connected().set_registered_model_alias(action.model, CHAMPION, str(action.version))

    def explain(self, error: Exception) -> str:
        """Say for people what went wrong."""
        if isinstance(error, Refused):
            return str(error)
        code, text = getattr(error, "error_code", ""), " ".join(str(error).split())
        if len(text) > 300:
            text = text[:297] + "..."
        if code in ("", "INTERNAL_ERROR"):
            return f"MLflow at {self._uri} does not answer; it is asked again. It failed with: {text}"
        return f"MLflow at {self._uri} refuses: {text}"

    def _check_lead(self) -> None:
        if not self._may_write():
            raise Refused("nothing was changed, because this operator does not hold the lease any more")

    def _connected(self) -> Any:
        if self._client is None:
            os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(TIMEOUT_SECONDS))
            os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", str(RETRIES))
            os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
            from mlflow.tracking import MlflowClient

            self._client = MlflowClient(self._uri, self._uri)
        return self._client

    def _model(self, name: str) -> Any:
        from mlflow.exceptions import MlflowException

        try:
            return self._connected().get_registered_model(name)
        except MlflowException as error:
            if error.error_code == _MISSING:
                return None
            raise

    def _versions(self, model: str) -> Iterable[Any]:
        client, token = self._connected(), None
        while True:
            page = client.search_model_versions(f"name='{model}'", max_results=_PAGE, page_token=token)
            yield from page
            token = page.token
            if not token:
                return

    def _claim(self, action: Register) -> None:
        from mlflow.exceptions import MlflowException

        found = self._model(action.model)
        if found is None:
            try:
                self._connected().create_registered_model(action.model, tags={TAG_CLAIM: action.claim})
            except MlflowException as error:
                if error.error_code != _TAKEN:
                    raise
                found = self._model(action.model)
        if found is not None and dict(found.tags).get(TAG_CLAIM) != action.claim:
            holder = dict(found.tags).get(TAG_CLAIM) or "nobody that Trainyard knows"
            raise Refused(
                f"registered model {action.model} belongs to {holder}: rename or delete it in MLflow, "
                f"or give it the tag {TAG_CLAIM}={action.claim}"
            )

    def _logged_model(self, source: str) -> Any:
        from mlflow.exceptions import MlflowException

        _, _, identity = source.partition("models:/")
        try:
            return self._connected().get_logged_model(identity)
        except MlflowException as error:
            if error.error_code != _MISSING:
                raise
            raise Refused(
                f"the model {source} that the training logged is not in MLflow any more: train again"
            ) from error
