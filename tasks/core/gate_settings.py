"""What a use case says under `gate:`: limits, each with its unit and the reason for its default, and which checks refuse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from tasks.core.checks import CODES
from tasks.core.errors import UsageError
from tasks.core.metrics import metric_names
from tasks.core.slices import column_of
from tasks.core.thresholds import COST

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from tasks.core.behaviour import Expected
    from tasks.core.table import Schema
    from tasks.core.use_case import UseCase


def _check_code(code: str) -> str:
    if code not in CODES:
        raise PydanticCustomError("check", "{problem}", {"problem": UsageError.unknown("check", code, CODES).message})
    return code


Code = Annotated[str, AfterValidator(_check_code)]


def because(reason: str) -> Any:  # noqa: ANN401 (pydantic's own type is wider than what it stores)
    """Give the reason for a default, for the reference."""
    return {"reason": reason}


class Gate(BaseModel):
    """What stands between a challenger and the champion."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tolerance: Annotated[
        float,
        Field(
            gt=0,
            le=0.5,
            description="loss that may be lost, as a share of the champion's",
            json_schema_extra=because("a fit of the same recipe to other rows differs by as much, and the anchor keeps it from adding up"),
        ),
    ] = 0.02
    approval: Annotated[
        bool,
        Field(
            description="whether a person has the last word on each version, with flows.promote",
            json_schema_extra=because("models are to stay healthy without people"),
        ),
    ] = False
    approval_days: Annotated[
        int,
        Field(
            ge=1,
            description="for which a version may wait for a person",
            json_schema_extra=because("rows of last month still say something of today"),
        ),
    ] = 30
    floors: Annotated[
        dict[str, Annotated[float, Field(allow_inf_nan=False)]],
        Field(
            description="by metric, the least that a champion must reach, or the most where less is better",
            json_schema_extra=because("only people know what is good enough"),
        ),
    ] = {}
    block: Annotated[
        tuple[Code, ...],
        Field(
            description=f"checks that refuse instead of warn, of {', '.join(CODES)}",
            json_schema_extra=because("a check that refuses what nobody minds is soon turned off"),
        ),
    ] = ()
    skip: Annotated[
        tuple[Code, ...],
        Field(description="checks that are not asked", json_schema_extra=because("all of them together cost a second")),
    ] = ()
    error_rate: Annotated[
        float,
        Field(
            gt=0,
            le=0.5,
            description="chance that a challenger within all limits meets a warning, of all checks together that ask for chance",
            json_schema_extra=because("once in twenty trainings is rare enough to be looked at"),
        ),
    ] = 0.05
    slices: Annotated[
        tuple[str, ...],
        Field(
            description="columns, or column=value, in whose rows a challenger must not be worse",
            json_schema_extra=because("only people know which rows matter most; the worst of all others is searched"),
        ),
    ] = ()
    slice_rows: Annotated[
        int,
        Field(
            ge=20,
            description="gate rows that a slice or a protected group must have to be judged",
            json_schema_extra=because("the mean of fewer is known too badly to show anything but a disaster"),
        ),
    ] = 50
    slice_loss: Annotated[
        float,
        Field(
            ge=0,
            allow_inf_nan=False,
            description="loss that may be lost in a slice, as a share of the champion's mean loss",
            json_schema_extra=because("parts change more than the whole, for which tolerance is"),
        ),
    ] = 0.05
    calibration_rise: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="by which the calibration error may rise, as a probability",
            json_schema_extra=because("a probability that is off by one in a hundred changes few decisions"),
        ),
    ] = 0.01
    flips: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="share of the gate rows that the champion has right and the challenger wrong (of numbers by its mean error worse), "
            "or else half of what models with nothing in common come to",
            json_schema_extra=because("two fits of the same recipe differ on fewer, unless the target is noisy"),
        ),
    ] = 0.05
    protected: Annotated[
        tuple[str, ...],
        Field(
            description="columns whose groups must not be treated more differently than the champion does; models need not see them",
            json_schema_extra=because("only people know them"),
        ),
    ] = ()
    protected_gap: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="by which a group's error rate, or its rate of positive predictions, may move away from the others', as a share",
            json_schema_extra=because("what rounding to whole percent could hide"),
        ),
    ] = 0.02
    latency_factor: Annotated[
        float,
        Field(
            ge=1,
            allow_inf_nan=False,
            description="by which predicting one row may take longer than with the champion",
            json_schema_extra=because("an average of three models instead of one is no fault"),
        ),
    ] = 3.0
    latency_ms: Annotated[
        float,
        Field(
            ge=0,
            allow_inf_nan=False,
            description="milliseconds for one row that are never too many",
            json_schema_extra=because("nobody waits for them, and a busy machine doubles less"),
        ),
    ] = 50.0
    size_factor: Annotated[
        float,
        Field(
            ge=1,
            allow_inf_nan=False,
            description="by which the stored model may be larger than the champion's",
            json_schema_extra=because("a forest grows with its rows"),
        ),
    ] = 3.0
    size_mb: Annotated[
        float,
        Field(
            ge=0,
            allow_inf_nan=False,
            description="megabytes (of 1,000,000 bytes) of a stored model that are never too many",
            json_schema_extra=because("what loads in a fraction of a second"),
        ),
    ] = 50.0
    behaviour: Annotated[
        str | None,
        Field(
            description="CSV or YAML file of the project with rows and what must be predicted for them: expected, at_least, at_most",
            json_schema_extra=because("only people know what must never go wrong"),
        ),
    ] = None


def refuse_what_the_table_lacks(use_case: UseCase, schema: Schema, columns: Collection[str], expected: Sequence[Expected]) -> None:
    """Refuse settings of the gate that name what this table or task does not have, before anything is fitted.

    Args:
        use_case: Whose.
        schema: Of the table.
        columns: All of its columns, those that no model sees too.
        expected: The cases of `behaviour`.

    Raises:
        UsageError: a column, a metric, or an expectation that cannot be.
    """
    gate = use_case.gate
    metrics = [*metric_names(schema.task), *([] if use_case.costs.are_equal else [COST])]
    named = [(name, metrics, f"metric of a {schema.task} under", "gate.floors") for name in gate.floors]
    named += [(column_of(given, columns)[0], columns, "column under", "gate.slices") for given in gate.slices]
    named += [(name, columns, "column under", "gate.protected") for name in gate.protected]
    for name, known, what, key in named:
        if name not in known:
            raise UsageError.unknown(f"{what} {key} called", name, known, where=key)
    for case in expected:
        case.refuse_what_cannot_be(schema)
