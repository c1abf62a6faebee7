"""The model registry of MLflow: versions, what their tags say of them, and the aliases that point at them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from tasks.adapters.tracking.client import asking, find, open_client, reason
from tasks.adapters.tracking.model_files import download
from tasks.core.champions import MANIFEST_FILES, Attempt, NamedRows, Version
from tasks.core.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlflow.entities.model_registry import ModelVersion

ATTEMPT_TAG = "evergreen.attempt"
MANIFEST_TAG = "evergreen.manifest"
SPREAD_TAG = "evergreen.spread"
LAKE_TAG = "evergreen.lake"
DECISION_TAG = "evergreen.decision"
REASON_TAG = "evergreen.reason"
LEDGER_TAG = "evergreen.ledger"
ALIAS_TRIES = 5
PAGE = 1000


@asking()
def register(name: str, model_id: str, attempt: Attempt, spread: float | None, lake: str = "") -> Version:
    """Register a logged model as the next version with the digests of its stored files, the alias `challenger` on it.

    Args:
        name: Of the model.
        model_id: The logged model.
        attempt: What the run was asked.
        spread: Standard deviation of its paired loss differences; None without a champion.
        lake: What names its rows in the lake; empty where they are not from there.
    """
    import contextlib
    import io

    import mlflow

    model = open_client().get_logged_model(model_id)
    manifest = {file: hashlib.sha256(download(f"{model.artifact_location}/{file}")).hexdigest() for file in MANIFEST_FILES}
    # They come with the version, not after it: one that a kill left without them would count as somebody else's.
    tags = {
        ATTEMPT_TAG: json.dumps(asdict(attempt)),
        MANIFEST_TAG: json.dumps(manifest),
        SPREAD_TAG: "" if spread is None else repr(spread),
        **({LAKE_TAG: lake} if lake else {}),
    }
    # MLflow prints here whatever the log level, and standard error belongs to progress.
    with contextlib.redirect_stderr(io.StringIO()):
        number = int(mlflow.register_model(f"models:/{model_id}", name, tags=tags).version)
    set_alias(name, "challenger", number)
    return Version(number, model.source_run_id or "", attempt, spread, manifest, lake=lake)


def set_alias(name: str, alias: str, version: int) -> None:
    """Point an alias at a version; writers that race for a new alias try again."""
    from mlflow.exceptions import MlflowException

    for remaining in reversed(range(ALIAS_TRIES)):
        try:
            open_client().set_registered_model_alias(name, alias, str(version))
        except MlflowException as error:
            if not remaining or "IntegrityError" not in error.message:
                message = f"MLflow does not set the alias '{alias}' of {name} to version {version}: {reason(error)}"
                raise StoreError(message, where=name) from error
        else:
            return


@asking()
def tag_decision(name: str, version: int, code: str, reason: str) -> None:
    """Write on a version what became of it and why."""
    # The code last: a version that has one is judged to its end, and training on the same rows again is answered by it.
    open_client().set_model_version_tag(name, str(version), REASON_TAG, reason)
    open_client().set_model_version_tag(name, str(version), DECISION_TAG, code)


@asking()
def describe(name: str, version: int, text: str) -> None:
    """Let the registry show a text, in Markdown, on the page of a version."""
    open_client().update_model_version(name, str(version), description=text)


@asking()
def set_seal(name: str, version: int, seal: str) -> None:
    """Write on a champion the row of the ledger that made it one, so that a ledger that was cut off or rewritten shows."""
    open_client().set_model_version_tag(name, str(version), LEDGER_TAG, seal)


def seal_of(name: str, version: int) -> str:
    """Give what `set_seal` wrote; empty where it wrote nothing."""
    found = find(lambda: open_client().get_model_version(name, str(version)))
    return "" if found is None else found.tags.get(LEDGER_TAG, "")


def aliases(name: str) -> dict[str, int]:
    """Give the versions that the aliases of a model point at; empty when there is no such model."""
    registered = find(lambda: open_client().get_registered_model(name))
    return {} if registered is None else {alias: int(version) for alias, version in registered.aliases.items()}


def versions(name: str) -> list[Version]:
    """List the versions of a model that Evergreen registered, the last one first."""
    return [_version(found) for found in _all_versions(name) if _is_ours(found)]


def foreign_versions(name: str) -> list[int]:
    """List the versions of a model that somebody else registered."""
    return sorted(int(found.version) for found in _all_versions(name) if not _is_ours(found))


def newest_version(name: str) -> Version | None:
    """Find the last version that Evergreen registered.

    Raises:
        StoreError: there are only versions of somebody else, so the name is taken.
    """
    found = _all_versions(name)
    ours = next((version for version in found if _is_ours(version)), found[0] if found else None)
    return _version(ours) if ours else None


def get_version(name: str, number: int) -> Version | None:
    """Find a version by its number."""
    found = find(lambda: open_client().get_model_version(name, str(number)))
    return None if found is None else _version(found)


def named_rows(page_versions: int = PAGE) -> Iterator[NamedRows]:
    """Yield the rows that the versions of all models name, which are asked for so many at once; models that are not ours name none.

    Raises:
        StoreError: MLflow does not answer, or a version of ours cannot be read.
    """
    page = None
    while page is None or page.token:
        token = page.token if page else None
        page = find(lambda token=token: open_client().search_model_versions(max_results=page_versions, page_token=token))
        for found in page:
            if ATTEMPT_TAG in found.tags:
                yield NamedRows(found.name, int(found.version), _version(found).attempt.snapshot, found.tags.get(LAKE_TAG, ""))


@asking()
def remove_empty_model(name: str) -> None:
    """Remove a registered model that a killed run left without any version."""
    registered = find(lambda: open_client().get_registered_model(name))
    if registered is not None and newest_version(name) is None:
        open_client().delete_registered_model(name)


def _all_versions(name: str) -> list[ModelVersion]:
    """List the versions of a model, the last one first."""
    return list(find(lambda: open_client().search_model_versions(f"name = '{name}'", order_by=["version_number DESC"])))


def _is_ours(found: ModelVersion) -> bool:
    return {ATTEMPT_TAG, MANIFEST_TAG} <= found.tags.keys()


def _version(found: ModelVersion) -> Version:
    spread = found.tags.get(SPREAD_TAG, "")
    try:
        attempt = Attempt(**json.loads(found.tags[ATTEMPT_TAG]))
        manifest = json.loads(found.tags[MANIFEST_TAG])
    except (KeyError, ValueError, TypeError) as error:
        message = f"version {found.version} of '{found.name}' was not registered by Evergreen; use another name with --use-case"
        raise StoreError(message, where=found.name) from error
    return Version(
        number=int(found.version),
        run_id=found.run_id or "",
        attempt=attempt,
        spread=float(spread) if spread else None,
        manifest=manifest,
        decision=found.tags.get(DECISION_TAG, ""),
        lake=found.tags.get(LAKE_TAG, ""),
    )
