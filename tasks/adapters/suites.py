"""Great Expectations: judges batches by the suites of `expectations/`, in GX's own JSON format."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from tasks.core.errors import UsageError
from tasks.core.validation import SEVERITIES, ExpectationResult, Severity

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from great_expectations.core import ExpectationValidationResult
    from great_expectations.core.expectation_suite import ExpectationSuite
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration


def evaluate(df: pd.DataFrame, path: Path) -> tuple[ExpectationResult, ...]:
    """Evaluate a suite on rows with a RangeIndex, in the suite's own order.

    Rows are fetched only for the expectations that some rows fail: on bad data that is an order of magnitude cheaper.

    Raises:
        UsageError: the file is not a suite, or has a `$PARAMETER`, which nothing here gives.
    """
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    # GX logs stack traces of what this module tells in a sentence.
    logging.getLogger("great_expectations").setLevel(logging.CRITICAL)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    suite = _load(path)
    source = context.data_sources.add_pandas("rows")
    batch = source.add_dataframe_asset("batch").add_batch_definition_whole_dataframe("all").get_batch({"dataframe": df})
    try:
        first = {_key(r): r for r in batch.validate(suite, result_format={"result_format": "SUMMARY"}).results}
    except gx.exceptions.SuiteParameterError as error:
        raise _malformed(path, error) from error
    failing = [e for e in suite.expectations if (first[_identity(e)].result or {}).get("unexpected_count")]
    rows: dict[str, tuple[int, ...]] = {}
    if failing:
        detail = gx.ExpectationSuite(name=f"{suite.name}-rows", expectations=[e.configuration for e in failing])
        complete = batch.validate(detail, result_format={"result_format": "COMPLETE"})
        rows = {_key(r): tuple(r.result.get("unexpected_index_list") or ()) for r in complete.results}
    return tuple(_result(first[_identity(e)], rows.get(_identity(e), ())) for e in suite.expectations)


def _load(path: Path) -> ExpectationSuite:
    import great_expectations as gx
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        suite = gx.ExpectationSuite(**values)
        # What it cannot build a suite only logs and leaves out (GX 1.24), and what is left out would pass.
        for asked in values.get("expectations") or []:
            ExpectationConfiguration(**asked).to_domain_obj()
    except (ValueError, TypeError, gx.exceptions.GreatExpectationsError) as error:
        raise _malformed(path, error) from error
    return suite


def _malformed(path: Path, error: Exception) -> UsageError:
    # The first line of a validation error only counts; the keys stand on the lines after it.
    return UsageError(f"{path} is not a Great Expectations suite: {' '.join(str(error).split())}", where=str(path))


def _identity(expectation: Any) -> str:  # noqa: ANN401 (GX types its expectations dynamically)
    return _spelled(expectation.configuration)


def _configuration(result: ExpectationValidationResult) -> ExpectationConfiguration:
    if result.expectation_config is None:
        message = "Great Expectations gave a result without saying of which expectation"
        raise ValueError(message)
    return result.expectation_config


def _key(result: ExpectationValidationResult) -> str:
    return _spelled(_configuration(result))


def _spelled(configuration: ExpectationConfiguration) -> str:
    kwargs = {name: value for name, value in configuration.kwargs.items() if name != "batch_id"}
    meaning = [str(configuration.severity), configuration.meta or {}]  # two may ask the same and mean another consequence
    return json.dumps([configuration.type, kwargs, *meaning], sort_keys=True, default=str)


def _result(result: ExpectationValidationResult, rows: tuple[int, ...]) -> ExpectationResult:
    configuration = _configuration(result)
    problems = [info["exception_message"] for info in _exceptions(result.exception_info) if info["raised_exception"]]
    subject = configuration.kwargs.get("column")
    told = {name: value for name, value in configuration.kwargs.items() if name not in ("column", "batch_id", "column_set")}
    words = configuration.type.removeprefix("expect_").replace("_", " ")
    return ExpectationResult(
        expectation=" ".join([*([f"'{subject}':"] if subject else []), words, *(f"{name}={value}" for name, value in told.items())]),
        severity=_severity(configuration),
        success=bool(result.success),
        failing_rows=rows,
        quarantine=bool((configuration.meta or {}).get("quarantine")),
        found=_found(result.result or {}),
        problem=problems[0].splitlines()[0] if problems else "",
        notes=" ".join(configuration.notes) if isinstance(configuration.notes, list) else configuration.notes or "",
    )


def _found(result: dict[str, Any]) -> str:
    """Say which columns are missing or were not expected."""
    mismatched = (result.get("details") or {}).get("mismatched") or {}
    told = [f"{what} {', '.join(map(repr, names[:5]))}" for what, names in mismatched.items() if names]
    return "; ".join(told)


def _severity(configuration: ExpectationConfiguration) -> Severity:
    given = str(getattr(configuration.severity, "value", configuration.severity))
    return given if given in SEVERITIES else "critical"


def _exceptions(info: dict[str, Any]) -> list[dict[str, Any]]:
    return [info] if "raised_exception" in info else list(info.values())
