"""Where Evergreen keeps its state and which engines it talks to: `EVERGREEN_*`, `.env`, defaults."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import TYPE_CHECKING
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from tasks.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "EVERGREEN_"


class Settings(BaseModel):
    """One machine's settings; every path is absolute, so that no store depends on the current folder."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    home: Path = Field(Path(".evergreen"), description="Folder of all state: stores, snapshots, artifacts, reports, locks.")
    project: Path = Field(Path(), description="Folder of `deployments/use_cases` and `expectations`; the bundled ones come after it.")
    record: bool = Field(default=True, description="Record runs in Prefect; `false` runs plain functions.")
    tracking_uri: str = Field("", description="MLflow tracking and registry store; default `mlflow.db` in the home.")
    artifacts_url: str = Field("", description="Where MLflow keeps artifacts; default `artifacts` in the home.")
    ledger_url: str = Field("", description="SQLAlchemy URL of the ledger; default `ledger.db` in the home.")
    lake_url: str = Field("", description="Folder or URL (s3://bucket/path) of all lakes; default `lake` in the home.")
    reports_url: str = Field("", description="Where browsers find the folder `reports` of the home; default where `up` serves it.")
    alarms: SecretStr = Field(SecretStr(""), description="Who is told of alarms: addresses of Apprise, or NAME=ADDRESS, between blanks.")

    @field_validator("reports_url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")) or len(value.split()) > 1:
            raise PydanticCustomError("address", "must begin with http:// or https://, and have no blanks")
        return value

    @classmethod
    def from_values(cls, values: Mapping[str, str], folder: Path) -> Settings:
        """Read the `EVERGREEN_*` names among values; relative paths are taken from folder.

        Raises:
            UsageError: a name that is no setting, or a value that cannot be one.

        >>> Settings.from_values({"EVERGREEN_HOME": "state", "PATH": "/bin"}, Path("/srv")).mlflow_uri
        'sqlite:////srv/state/mlflow.db'
        """
        given = {name.removeprefix(PREFIX).lower(): value for name, value in values.items() if name.startswith(PREFIX)}
        for name in given:
            if name not in cls.model_fields:
                raise UsageError.unknown("setting", PREFIX + name.upper(), [PREFIX + n.upper() for n in cls.model_fields])
        try:
            parsed = cls.model_validate({name: value for name, value in given.items() if value != ""})
        except ValidationError as error:
            name = str(error.errors()[0]["loc"][0])
            message = f"{PREFIX}{name.upper()} is '{given[name]}': {error.errors()[0]['msg'].lower()}"
            raise UsageError(message, where=PREFIX + name.upper()) from error
        absolute: dict[str, object] = {
            name: (folder / path.expanduser()).absolute() for name, path in (("home", parsed.home), ("project", parsed.project))
        }
        if parsed.lake_url and "://" not in parsed.lake_url:
            absolute["lake_url"] = str((folder / Path(parsed.lake_url).expanduser()).absolute())
        return parsed.model_copy(update=absolute)

    @property
    def mlflow_uri(self) -> str:
        """Give the absolute address of the MLflow store."""
        return self.tracking_uri or f"sqlite:///{self.home / 'mlflow.db'}"

    @property
    def own_mlflow_file(self) -> Path | None:
        """Give the file of the MLflow store where it is the home's own; it need not exist yet."""
        path = self.home / "mlflow.db"
        return path if self.mlflow_uri == f"sqlite:///{path}" else None

    @property
    def mlflow_artifacts(self) -> str:
        """Give the absolute address under which MLflow keeps artifacts."""
        return self.artifacts_url or (self.home / "artifacts").as_uri()

    @property
    def ledger_address(self) -> str:
        """Give the SQLAlchemy URL of the ledger."""
        return self.ledger_url or f"sqlite:///{self.home / 'ledger.db'}"

    @property
    def lake_address(self) -> str:
        """Give the absolute folder or URL under which the lakes of all use cases are."""
        return self.lake_url or str(self.home / "lake")

    def link_to(self, page: str) -> str:
        """Give the address at which a browser finds a page of the home's reports; where nothing serves them, and of other files, the path.

        >>> Settings(home=Path("/srv/state"), reports_url="https://ops/reports/").link_to("/srv/state/reports/houses/monitor.html")
        'https://ops/reports/houses/monitor.html'
        """
        folder = self.home / "reports"
        if not self.reports_url or not PurePath(page).is_relative_to(folder):
            return page
        return f"{self.reports_url.rstrip('/')}/{quote(PurePath(page).relative_to(folder).as_posix())}"
