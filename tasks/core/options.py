"""What each job can be asked: one frozen type per job, the same for the command line, the Prefect form and other flows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from tasks.core.alarms import CODE
from tasks.core.candidates import BASELINE, BLEND, CANDIDATES
from tasks.core.checks import CAN_BE_WAIVED
from tasks.core.table import Loss, Task

if TYPE_CHECKING:
    from pydantic.config import JsonDict

POSITIONAL: JsonDict = {"positional": True}
# Prefect's forms offer them, and its server refuses any other; on the command line the verb does, with the closest one.
CANDIDATE: JsonDict = {"enum": [candidate.name for candidate in CANDIDATES if candidate.name not in (BASELINE, BLEND)]}
WAIVABLE: JsonDict = {"enum": [*CAN_BE_WAIVED]}


def _check_code(text: str) -> str:
    if not CODE.fullmatch(text):
        raise PydanticCustomError("code", "it may hold letters, digits, '.', '_' and '-' alone, and 80 of them")
    return text


class Options(BaseModel):
    """Common to the options of every job."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SourceOptions(Options):
    """What names a use case and a table, and how the table is written."""

    data: Annotated[
        str | None,
        Field(title="Data", description="table to take: a file, folder, URL or database, or sklearn:NAME", json_schema_extra=POSITIONAL),
    ] = None
    use_case: Annotated[
        str | None,
        Field(title="Use case", description="name of the use case (default: the table's file name, or diabetes)"),
    ] = None
    read: Annotated[
        tuple[str, ...],
        Field(title="Reading", description="how the table is written, as KEY=VALUE: header, delimiter, quote, encoding, decimal, skip …"),
    ] = ()


class CaseOptions(SourceOptions):
    """What may also be said instead of what the file of a use case says."""

    target: Annotated[str | None, Field(title="Target", description="column to predict (default: the last one)")] = None
    task: Annotated[Task | None, Field(title="Task", description="what kind of prediction (default: from the target)")] = None
    time: Annotated[str | None, Field(title="Time column", description="column that orders the rows (default: found)")] = None
    group: Annotated[
        str | None, Field(title="Group", description="column whose rows belong together, and are never on both sides of a split")
    ] = None


class TrainOptions(CaseOptions):
    """Train a challenger; it becomes champion when the gate does not show it to be worse."""

    model_config = ConfigDict(title="Training")

    trials: Annotated[
        int | None, Field(ge=1, title="Trials", description="settings of candidates to try (default: each candidate as it is)")
    ] = None
    seconds: Annotated[
        float | None, Field(gt=0, title="Seconds", description="after which no further trial begins (default: no limit)")
    ] = None
    again: Annotated[bool, Field(title="Again", description="train although rows and configuration are those of the last attempt")] = False
    since: Annotated[
        str | None,
        Field(title="Since", description="use the ingested rows that arrived after this time alone, such as 2026-03-03T14:00 (UTC)"),
    ] = None
    asked_by: Annotated[
        str | None,
        Field(
            title="Asked by",
            pattern=r"^[0-9]+-[0-9]+$",
            description="for monitors, not for people: champion's epoch and look that asked; trained once for each",
        ),
    ] = None


class MonitorOptions(Options):
    """Look at the champion of a use case: are its newest rows sound, how good is it on them, and shall it be retrained?"""

    model_config = ConfigDict(title="Monitoring")

    use_case: Annotated[str | None, Field(title="Use case", description="name of the use case", json_schema_extra=POSITIONAL)] = None


class IngestOptions(CaseOptions):
    """Take deliveries into the lake of a use case: validated, bad rows set aside, damage held for a person."""

    model_config = ConfigDict(title="Ingestion")

    labels: Annotated[bool, Field(title="Labels alone", description="the table holds labels of rows that came before")] = False
    accept: Annotated[str | None, Field(title="Accept", description="a batch that is held: its digest, or the first digits")] = None
    dismiss: Annotated[str | None, Field(title="Dismiss", description="a batch that is held and need not be taken in any more")] = None
    because: Annotated[str | None, Field(title="Because", description="why the held batch is accepted or dismissed")] = None


class ScoreOptions(SourceOptions):
    """Let the champion of a use case predict the rows of a table."""

    model_config = ConfigDict(title="Scoring")

    version: Annotated[int | None, Field(ge=1, title="Version", description="version that predicts (default: the champion)")] = None
    out: Annotated[str | None, Field(title="Predictions", description="file to write, .parquet or .csv (default: in the home)")] = None


class SuccessionOptions(Options):
    """What a person says of a version."""

    use_case: Annotated[str | None, Field(title="Use case", description="name of the use case")] = None
    because: Annotated[str, Field(title="Because", description="why; it stands in the ledger, and only a release needs none")] = ""


class PromoteOptions(SuccessionOptions):
    """Approve a version, so that it becomes champion if it passes the gate now, or reject it."""

    model_config = ConfigDict(title="Promotion")

    version: Annotated[
        int | None,
        Field(ge=1, title="Version", description="which (default: the last one that waits)", json_schema_extra=POSITIONAL),
    ] = None
    waive: Annotated[
        tuple[Annotated[str, Field(json_schema_extra=WAIVABLE)], ...],
        Field(title="Waive", description="check that may fail, by its code; what you say stands in the ledger"),
    ] = ()
    reject: Annotated[bool, Field(title="Reject", description="the version shall not become champion")] = False


class RollbackOptions(SuccessionOptions):
    """Go back to an earlier champion and hold it: no version becomes champion by itself until that is released."""

    model_config = ConfigDict(title="Rollback")

    version: Annotated[
        int | None,
        Field(ge=1, title="Version", description="which (default: the champion before this one)", json_schema_extra=POSITIONAL),
    ] = None
    release: Annotated[bool, Field(title="Release", description="let the gate promote again, and change nothing else")] = False


class ReproduceOptions(Options):
    """Fit a version again from what its run kept, and require that it predicts what the stored one does."""

    model_config = ConfigDict(title="Reproduction")

    version: Annotated[
        int | None, Field(ge=1, title="Version", description="which (default: the champion)", json_schema_extra=POSITIONAL)
    ] = None
    use_case: Annotated[str | None, Field(title="Use case", description="name of the use case")] = None


class BacktestOptions(CaseOptions):
    """Replay history chunk by chunk: what would retraining have been worth, by this policy and by others?"""

    model_config = ConfigDict(title="Backtest")

    chunks: Annotated[
        int, Field(ge=2, le=1000, title="Chunks", description="in which the rows after the first tenth come (default: 40)")
    ] = 40
    delay: Annotated[int, Field(ge=0, title="Label delay", description="chunks until labels come (default: 0)")] = 0
    candidate: Annotated[
        Annotated[str, Field(json_schema_extra=CANDIDATE)] | None,
        Field(title="Candidate", description="what is fitted (default: what the champion is made by, else hist_gradient_boosting)"),
    ] = None
    loss: Annotated[Loss | None, Field(title="Loss", description="what counts (default: that of the use case)")] = None
    window: Annotated[int | None, Field(ge=1, title="Window", description="chunks that are fitted to, the latest ones (default: all)")] = (
        None
    )
    shuffle: Annotated[bool, Field(title="Shuffle", description="shuffle the rows first, so that nothing is to be found")] = False
    recommend: Annotated[bool, Field(title="Recommend", description="look for settings of retrain: that would have been better")] = False


class AlarmOptions(Options):
    """Tell people that something needs them, on the channels of a use case: once, and again after a day."""

    model_config = ConfigDict(title="Alarm")

    text: Annotated[str, Field(title="Text", description="what is the matter, and what to do", json_schema_extra=POSITIONAL)] = ""
    use_case: Annotated[str | None, Field(title="Use case", description="whose alarm it is (default: all)")] = None
    code: Annotated[
        str,
        AfterValidator(_check_code),
        Field(title="Code", description="name of what is the matter; of the same code is told once (default: by_hand)"),
    ] = "by_hand"
    link: Annotated[str, Field(title="Link", description="where to look")] = ""
    over: Annotated[bool, Field(title="Over", description="the matter is over: whoever was told of it is told that")] = False


class MaintainOptions(Options):
    """Put the small files of lakes together, and remove what no model version and no person needs."""

    model_config = ConfigDict(title="Maintenance")

    use_case: Annotated[str | None, Field(title="Use case", description="name of one use case (default: all)")] = None
    retention_days: Annotated[
        int,
        Field(title="Retention", ge=1, description="days after which what nobody needs is removed; longer than any run takes (default: 7)"),
    ] = 7


class DemoOptions(Options):
    """Play the life of a model in two minutes: weeks of a simulated market, one broken delivery, a world that turns."""

    folder: Annotated[str, Field(description="new folder to play in (default: evergreen-demo)", json_schema_extra=POSITIONAL)] = (
        "evergreen-demo"
    )
    weeks: Annotated[int, Field(ge=13, le=60, description="to play, of 60 (default: 60)")] = 60


class StatusOptions(Options):
    """Say where use cases stand: champions, holds, what waits for a person, what is broken."""

    use_case: Annotated[str | None, Field(description="name of one use case (default: all)", json_schema_extra=POSITIONAL)] = None


class DoctorOptions(StatusOptions):
    """Say the same as status, and leave with exit code 1 when something is broken."""


class ExplainOptions(Options):
    """Say why a version is, was, or is not champion: from which data, judged how, and what was refused since."""

    version: Annotated[int | None, Field(ge=1, description="which (default: the champion)", json_schema_extra=POSITIONAL)] = None
    use_case: Annotated[str | None, Field(description="name of the use case")] = None
    at: Annotated[str | None, Field(description="a moment, such as 2026-03-03T14:00 (UTC): whoever was champion then")] = None


class CardOptions(Options):
    """Give the model card of a version as Markdown, and write it as a page too."""

    version: Annotated[int | None, Field(ge=1, description="which (default: the champion)", json_schema_extra=POSITIONAL)] = None
    use_case: Annotated[str | None, Field(description="name of the use case")] = None


class CompareOptions(Options):
    """Hold two versions against one another: metrics, rows on which they differ, and what they are made from."""

    versions: Annotated[
        tuple[int, ...], Field(min_length=2, max_length=2, description="two versions", examples=["1 2"], json_schema_extra=POSITIONAL)
    ]
    use_case: Annotated[str | None, Field(description="name of the use case")] = None


class InitOptions(Options):
    """Propose a use case and its suite from a table, for review, and deploy it."""

    data: Annotated[str | None, Field(description="table to propose from", json_schema_extra=POSITIONAL)] = None
    name: Annotated[str | None, Field(description="name of the use case (default: from the table's name)")] = None
    target: Annotated[str | None, Field(description="column to predict (default: the last one)")] = None
    task: Annotated[Task | None, Field(description="what kind of prediction (default: from the target)")] = None
    time: Annotated[str | None, Field(description="column that orders the rows (default: found)")] = None
    key: Annotated[tuple[str, ...], Field(description="column that names a row, or one of several that do together")] = ()
    read: Annotated[tuple[str, ...], Field(description="how the table is written, as KEY=VALUE: header, delimiter, decimal …")] = ()
    update: Annotated[bool, Field(description="bring a suite up to the new proposal, except for what a person made of it")] = False


class DeploymentsOptions(Options):
    """Write the use cases of the project into its prefect.yaml."""


Port = Annotated[int | None, Field(ge=1, le=65535)]


class UpOptions(Options):
    """Start what runs the use cases on this machine: Prefect's pages and worker, the pages of MLflow and Evidently, reports; deploy."""

    prefect_port: Annotated[Port, Field(description="of Prefect's pages (default: 4200)")] = None
    mlflow_port: Annotated[Port, Field(description="of MLflow's pages (default: 5000)")] = None
    evidently_port: Annotated[Port, Field(description="of Evidently's pages (default: 4230)")] = None
    reports_port: Annotated[Port, Field(description="of the reports (default: 4240)")] = None


class DownOptions(Options):
    """End what `up` has started, and the runs that it has begun."""


class PreviewOptions(Options):
    """Show what would be made of files before anything is trained."""

    paths: Annotated[tuple[str, ...], Field(description="files, folders, URLs", json_schema_extra=POSITIONAL)]
    out: Annotated[str | None, Field(description="folder to write the kept rows to as CSV")] = None
    as_text: Annotated[bool, Field(description="keep every cell exactly as it stands")] = False
    read: Annotated[tuple[str, ...], Field(description="how the files are written, as KEY=VALUE")] = ()
