"""A use case: one model and its life, as `deployments/use_cases/<name>.yaml` describes it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from tasks.core import cron
from tasks.core.errors import UsageError, plain
from tasks.core.gate_settings import Gate, because
from tasks.core.reading.terms import ReadingOptions
from tasks.core.table import Loss, Task

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tasks.core.options import SourceOptions

NAME = r"^[a-z0-9][a-z0-9_-]*$"
MAX_NAME = 60
LAKE = "lake"  # as data: the rows that were ingested


def _check_cron(text: str) -> str:
    if problem := cron.problem_of(text):
        raise PydanticCustomError("cron", "{problem}", {"problem": problem})
    return text


def _training_alone(given: object) -> object:
    return {"train": given} if isinstance(given, str) else given or {}


def _one_or_several(given: object) -> object:
    return (given,) if isinstance(given, str) else given


def _in_utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment


Cron = Annotated[str, AfterValidator(_check_cron)]


class Budget(BaseModel):
    """What the search for a model may take."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    trials: Annotated[int | None, Field(ge=1, description="settings that are tried; default: each candidate as it is")] = None
    seconds: Annotated[float | None, Field(gt=0, description="after which no further trial begins")] = None
    memory_gb: Annotated[float | None, Field(gt=0, description="of the process, above which no further trial begins")] = None


class Costs(BaseModel):
    """What wrong predictions of a binary target cost, in any unit."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    false_positive: Annotated[float, Field(gt=0, allow_inf_nan=False, description="of a row that is said to be positive and is not")] = 1.0
    false_negative: Annotated[float, Field(gt=0, allow_inf_nan=False, description="of a positive row that is said not to be")] = 1.0
    positive: Annotated[str | None, Field(description="class that is looked for; default: the second in order")] = None

    @property
    def are_equal(self) -> bool:
        """Say whether both errors cost the same, so that the more likely class is the cheaper one to say."""
        return self.false_positive == self.false_negative


class Retraining(BaseModel):
    """When a champion is retrained. `python -m flows.backtest` says what that is worth on the rows that there are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    performance: Annotated[
        float,
        Field(
            gt=0,
            description="rise of the loss beyond noise, added up, as a share of that on the gate rows",
            json_schema_extra=because("smaller rises are mostly noise that the standard errors missed"),
        ),
    ] = 0.1
    prediction: Annotated[
        float,
        Field(
            gt=0,
            le=1,
            description="Kolmogorov-Smirnov distance of predictions from those on the gate rows",
            json_schema_extra=because("below it a shift says little of whether a retrain pays"),
        ),
    ] = 0.15
    growth: Annotated[
        float,
        Field(
            gt=1,
            description="labelled rows, as a multiple of those at the last attempt",
            json_schema_extra=because("early fits are worth most, and each fifth more rows still helps"),
        ),
    ] = 1.2
    staleness: Annotated[
        int,
        Field(
            ge=1,
            description="batches of labels since the last attempt",
            json_schema_extra=because("where nothing fires, newer rows help slowly"),
        ),
    ] = 5
    cooldown: Annotated[
        int,
        Field(
            ge=1,
            description="batches of labels between two attempts, at least",
            json_schema_extra=because("waiting after a change costs more than it saves"),
        ),
    ] = 1
    share: Annotated[
        float,
        Field(
            gt=0,
            le=1,
            description="attempts for each batch of labels, at most in the long run",
            json_schema_extra=because("more fits gain little on most streams"),
        ),
    ] = 0.25
    per_day: Annotated[
        int | None,
        Field(
            ge=1,
            description="attempts of a day (UTC), at most; default: any number",
            json_schema_extra=because("what a fit costs, only you know"),
        ),
    ] = None
    per_month: Annotated[
        int | None,
        Field(
            ge=1,
            description="attempts of a month (UTC), at most; default: any number",
            json_schema_extra=because("what a fit costs, only you know"),
        ),
    ] = None
    return_to: Annotated[
        int,
        Field(
            ge=0,
            description="earlier versions that may come back where new labels show them to be better",
            json_schema_extra=because("seasons return, and looking at a version costs no fit"),
        ),
    ] = 10


class Monitoring(BaseModel):
    """How a champion is watched."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: Annotated[
        int,
        Field(
            ge=2,
            description="newly labelled rows that are looked at together, at least; fewer wait for more",
            json_schema_extra=because("the mean loss of fewer is noise"),
        ),
    ] = 50
    sample: Annotated[
        int,
        Field(
            ge=1000,
            description="rows that are predicted at one look, at most, evenly spread over those that came",
            json_schema_extra=because("the mean loss of so many is known to a hundredth of its spread"),
        ),
    ] = 20_000
    effect: Annotated[
        float,
        Field(
            gt=0,
            le=1,
            description="distance of a feature's distributions from which on it is shown as drifted; nothing is decided by it",
            json_schema_extra=because("a smaller one is seen in large tables alone, and nobody acts on it"),
        ),
    ] = 0.1
    pictures: Annotated[
        bool,
        Field(
            description="whether Evidently draws each look for its workspace",
            json_schema_extra=because("people look at pictures; without them a look is some ten seconds shorter"),
        ),
    ] = True


class Alarms(BaseModel):
    """Who is told when a person is needed, beside the log."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    to: Annotated[
        tuple[str, ...],
        BeforeValidator(_one_or_several),
        Field(description="addresses of Apprise without secrets, or names of those in EVERGREEN_ALARMS; default: all in EVERGREEN_ALARMS"),
    ] = ()
    repeat_hours: Annotated[
        float,
        Field(
            gt=0,
            description="after which an alarm that is not over is told again",
            json_schema_extra=because("what is told every hour is read by nobody"),
        ),
    ] = 24
    silence_until: Annotated[
        datetime | None,
        AfterValidator(_in_utc),
        Field(description="moment (UTC) until which nobody is told, such as 2031-05-01T08:00; default: none"),
    ] = None


class About(BaseModel):
    """What only people know of a model; it stands on its card."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    intended_use: Annotated[str, Field(description="what its predictions are meant for, and for whom")] = ""
    out_of_scope: Annotated[str, Field(description="what they must not be used for")] = ""
    considerations: Annotated[
        str, Field(description="harm that errors can do, groups that may be treated unlike others, what was done about it")
    ] = ""
    owner: Annotated[str, Field(description="who answers for it")] = ""


class Scores(BaseModel):
    """What the champion predicts by itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: Annotated[str | None, Field(description="file or folder, relative to the project, URL or database")] = None
    out: Annotated[str | None, Field(description="file of predictions, .parquet or .csv; default: in the home")] = None


class Schedule(BaseModel):
    """When the deployments of a use case run by themselves; one that has no time runs when asked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    train: Annotated[Cron | None, Field(description="trains a challenger")] = None
    ingest: Annotated[Cron | None, Field(description="takes what lies in the landing folder")] = None
    monitor: Annotated[Cron | None, Field(description="looks at the champion, and retrains it when that pays")] = None
    score: Annotated[Cron | None, Field(description="lets the champion predict what score.data names")] = None


class UseCase(BaseModel):
    """What is trained, on what, and when; a file holds only what differs from the defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=NAME, max_length=MAX_NAME, description="also the MLflow experiment and registered model")]
    description: Annotated[str, Field(description="one sentence, shown in Prefect")] = ""
    data: Annotated[str, Field(description="file or folder, relative to the project, URL, database, or sklearn:NAME")] = LAKE
    target: Annotated[str | None, Field(description="column to predict; default: the last one")] = None
    task: Annotated[Task | None, Field(description="kind of prediction; default: from the target")] = None
    time: Annotated[str | None, Field(description="column that orders the rows; default: found")] = None
    group: Annotated[str | None, Field(description="column whose rows belong together, such as a customer; no model sees it")] = None
    key: Annotated[
        tuple[str, ...],
        Field(
            description="columns that name a row; labels cannot come alone without, and it stays as it is when the first rows come; "
            "default: a hash of its cells"
        ),
    ] = ()
    pii: Annotated[tuple[str, ...], Field(description="columns whose values stand in no report, log or message")] = ()
    landing: Annotated[
        str | None, Field(description="folder of deliveries: incoming/ (labels alone: incoming/labels/), done/, refused/")
    ] = None
    drop: Annotated[tuple[str, ...], Field(description="columns that models must not see")] = ()
    candidates: Annotated[
        tuple[str, ...], Field(description="algorithms that compete; blend is their average; default: several, and blend")
    ] = ()
    budget: Annotated[Budget, Field(description="what the search for a model may take")] = Budget()
    loss: Annotated[Loss | None, Field(description="what is minimised; default: squared_error or brier")] = None
    costs: Annotated[Costs, Field(description="what errors cost, where they do not cost the same")] = Costs()
    refit: Annotated[Literal["never", "ordered", "always"], Field(description="when the shipped fit adds the gate rows")] = "ordered"
    seed: Annotated[int, Field(ge=0, lt=2**32, description="of all that is drawn at random")] = 0
    gate: Annotated[Gate, Field(description="what a challenger must hold against the champion")] = Gate()
    reading: Annotated[ReadingOptions, Field(description="how the table is written, where that is not found")] = ReadingOptions()
    retrain: Annotated[Retraining, Field(description="when the champion is retrained")] = Retraining()
    monitor: Annotated[Monitoring, Field(description="how the champion is watched")] = Monitoring()
    alarms: Annotated[Alarms, Field(description="who is told when a person is needed")] = Alarms()
    card: Annotated[About, Field(description="what stands on its model card")] = About()
    score: Annotated[Scores, Field(description="what the champion predicts by itself")] = Scores()
    schedule: Annotated[
        Schedule,
        BeforeValidator(_training_alone),
        Field(description="cron in UTC, such as '0 3 * * 1'; one alone is for training"),
    ] = Schedule()

    @classmethod
    def from_values(cls, name: str, values: Mapping[str, object], *, where: str) -> UseCase:
        """Check what a file says.

        Raises:
            UsageError: an unknown key, or a value that its key cannot have.
        """
        if "name" in values:  # a use case is called like its file
            raise UsageError.unknown(f"key in {where} called", "name", cls._keys(), where=where)
        try:
            found = cls.model_validate({"name": name, **values})
        except ValidationError as error:
            # A mistyped key comes first: it may be why another one is missing.
            problem = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
            key = ".".join(str(part) for part in problem["loc"])
            if problem["type"] == "extra_forbidden":
                parent, _, unknown = key.rpartition(".")
                raise UsageError.unknown(f"key in {where} called", unknown, cls._keys(parent), where=where) from error
            shown = "wrong" if key.startswith("alarms") else repr(problem["input"])  # an address may hold a secret
            got = "missing" if problem["type"] == "missing" else f"{shown}: {plain(problem)}"
            message = f"{where}: '{key}' is {got}"
            raise UsageError(message, where=where) from error
        if found.schedule.ingest and not found.has_deliveries:
            message = f"{where}: 'schedule.ingest' has nothing to take; set landing: to a folder, or data: to what comes again and again"
            raise UsageError(message, where=where)
        if found.schedule.score and found.score.data is None:
            message = f"{where}: 'schedule.score' has nothing to predict; set score: {{data: ...}} to the table that is predicted each time"
            raise UsageError(message, where=where)
        return found

    @property
    def has_deliveries(self) -> bool:
        """Say whether rows can come without a person who names them."""
        return self.landing is not None or self.data != LAKE

    @classmethod
    def _keys(cls, parent: str = "") -> Iterable[str]:
        sections: tuple[type[BaseModel], ...] = (Budget, Costs, Gate, Schedule)
        nested = {section.__name__.lower(): section for section in sections}
        nested |= {
            "reading": ReadingOptions,
            "card": About,
            "retrain": Retraining,
            "monitor": Monitoring,
            "alarms": Alarms,
            "score": Scores,
        }
        return nested[parent].model_fields if parent else cls.model_fields.keys() - {"name"}

    def with_options(self, options: SourceOptions) -> UseCase:
        """Let what a call says go before what the file says."""
        given = options.model_dump(include={"data", "target", "task", "time", "group"}, exclude_none=True)
        reading = self.reading.model_copy(update=ReadingOptions.from_pairs(options.read).model_dump(exclude_unset=True))
        budget = self.budget.model_copy(update=options.model_dump(include={"trials", "seconds"}, exclude_none=True))
        return self.model_copy(update={**given, "reading": reading, "budget": budget})

    def loss_for(self, task: Task) -> Loss:
        """Name the per-row loss that choosing and the gate use.

        Raises:
            UsageError: the configured loss does not serve the task.
        """
        serving: tuple[Loss, ...] = ("squared_error", "absolute_error") if task == "regression" else ("brier", "log_loss")
        if self.loss is None:
            return serving[0]
        if self.loss not in serving:
            raise UsageError.unknown(f"{task} loss", self.loss, serving, where="loss")
        return self.loss
