"""Great Expectations: judges batches by the suites of `expectations/`, in GX's own JSON format."""

from __future__ import annotations

import gc
import json
import logging
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tasks.core import parts, rules
from tasks.core.errors import UsageError
from tasks.core.row_sets import NO_ROWS, RowSet
from tasks.core.suites import SUBJECTS
from tasks.core.validation import SEVERITIES, ExpectationResult, Severity

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    import pandas as pd
    from great_expectations.core import ExpectationValidationResult
    from great_expectations.core.expectation_suite import ExpectationSuite
    from great_expectations.datasource.fluent.interfaces import Batch
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
    from pyarrow.parquet import ParquetFile

CELLS_AT_ONCE = 2_000_000


def evaluate(df: pd.DataFrame, path: Path) -> tuple[ExpectationResult, ...]:
    """Evaluate a suite on rows with a RangeIndex, in the suite's own order.

    Great Expectations judges and counts; our rules then say which rows fail, many times cheaper than it does, and must find
    as many. It is asked for the rows itself only where no rule stands for an expectation.

    Raises:
        UsageError: the file is not a suite, or has a `$PARAMETER`, which nothing here gives.
    """
    suite, _ = _load(path)
    return tuple(judged.result for judged in _judge(df, suite.expectations, path))


def evaluate_file(table: Path, path: Path, rows_at_once: int = 500_000, scope: parts.Scope = parts.WHOLE) -> tuple[ExpectationResult, ...]:
    """Evaluate a suite on the rows of a Parquet file, of which only so many are in memory at once, and of columns only those asked for.

    The results are those of `evaluate` on the whole table, as far as it is in scope. What must see a whole column, such as a
    mean, is given the columns that it names and no other.

    Raises:
        UsageError: as `evaluate`.
    """
    from pyarrow import parquet

    with parquet.ParquetFile(table, pre_buffer=False) as file:  # a buffer would keep all that was read
        suite, columns = _load(path, scope, file.schema_arrow.names)
        if not suite.expectations:
            return ()
        rows = file.metadata.num_rows
        if rows <= rows_at_once and rows * len(columns) <= CELLS_AT_ONCE:
            return tuple(judged.result for judged in _judge(file.read(columns).to_pandas(), suite.expectations, path))
        types = {name: str(kind) for name, kind in file.schema_arrow.empty_table().select(columns).to_pandas().dtypes.items()}
        sights = [parts.sight(e.configuration.type, e.configuration.kwargs, types) for e in suite.expectations]
        found: dict[int, ExpectationResult] = {}
        with _frozen():
            for sight in dict.fromkeys(sights):
                places = [place for place, other in enumerate(sights) if other == sight]
                asked = [suite.expectations[place] for place in places]
                found |= zip(places, _evaluate_sight(file, sight, asked, path, rows_at_once), strict=True)
    return tuple(found[place] for place in range(len(sights)))


def _evaluate_sight(file: ParquetFile, sight: parts.Sight, asked: list[Any], path: Path, rows_at_once: int) -> list[ExpectationResult]:
    """Judge what is asked of the same columns."""
    if sight.of != "rows":
        seen = file.schema_arrow.empty_table().select(sight.columns) if sight.of == "names" else file.read(columns=list(sight.columns))
        return [one.result for one in _judge_and_collect(seen.to_pandas(), asked, path)]
    found: list[list[parts.Part]] = [[] for _ in asked]
    start = 0
    for batch in file.iter_batches(rows_at_once, columns=list(sight.columns)):
        for place, one in enumerate(_judge_and_collect(batch.to_pandas(), asked, path)):
            found[place].append(parts.Part(start, one.considered, one.result))
        start += batch.num_rows
    return [parts.merge(part, rules.share(one.configuration.kwargs)) for part, one in zip(found, asked, strict=True)]


@contextmanager
def _frozen() -> Generator[None]:
    """Spare the garbage collector what is there already: a second for each part of a table."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _judge_and_collect(df: pd.DataFrame, expectations: list[Any], path: Path) -> list[_Judged]:
    judged = _judge(df, expectations, path)
    gc.collect()  # Great Expectations (1.24) leaves circles of objects behind that hold all rows
    return judged


@dataclass(frozen=True)
class _Judged:
    """What an expectation found, and how many rows it is about."""

    result: ExpectationResult
    considered: int


def _judge(df: pd.DataFrame, expectations: list[Any], path: Path) -> list[_Judged]:
    """Judge rows with a RangeIndex by the expectations of a suite, in the order given."""
    import great_expectations as gx

    with _batch_of(df) as batch:
        try:
            first = {_key(r): r for r in batch.validate(_suite(expectations), result_format={"result_format": "SUMMARY"}).results}
        except gx.exceptions.SuiteParameterError as error:
            raise _malformed(path, error) from error
        found = {_identity(e): _rows(df, e.configuration, first[_identity(e)].result or {}) for e in expectations}
        failing = [e for e in expectations if found[_identity(e)].without_rule and first[_identity(e)].result["unexpected_count"]]
        if failing:
            for result in batch.validate(_suite(failing), result_format={"result_format": "COMPLETE"}).results:
                rows = RowSet.of(result.result.get("unexpected_index_list") or ())
                found[_key(result)] = _agreeing(replace(found[_key(result)], rows=rows), first[_key(result)].result["unexpected_count"])
    return [_Judged(_result(first[_identity(e)], found[_identity(e)]), _considered(first[_identity(e)].result or {})) for e in expectations]


@contextmanager
def _batch_of(df: pd.DataFrame) -> Generator[Batch]:
    """Show rows to Great Expectations, and let it forget them: its last context lives as long as the process."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig
    from great_expectations.execution_engine import pandas_execution_engine

    # GX logs stack traces of what this module tells in a sentence.
    logging.getLogger("great_expectations").setLevel(logging.CRITICAL)
    # Its fingerprint of the rows, which nobody asks for, takes six times their memory.
    pandas_execution_engine.HASH_THRESHOLD = 0
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    source = context.data_sources.add_pandas("rows")
    try:
        yield source.add_dataframe_asset("batch").add_batch_definition_whole_dataframe("all").get_batch({"dataframe": df})
    finally:
        context.data_sources.delete("rows")


def _suite(expectations: list[Any]) -> ExpectationSuite:
    import great_expectations as gx

    return gx.ExpectationSuite(name="asked", expectations=[_without_id(expectation.configuration) for expectation in expectations])


def _without_id(configuration: ExpectationConfiguration) -> Any:  # noqa: ANN401 (each type of expectation is a class)
    """Make the expectation anew: what carries an id cannot belong to a second suite, and a copy takes the first suite with it."""
    configuration.id = None  # pyright: ignore[reportAttributeAccessIssue]
    return configuration.to_domain_obj()


def _considered(counted: dict[str, Any]) -> int:
    return (counted.get("element_count") or 0) - (counted.get("missing_count") or 0)


@dataclass(frozen=True)
class _Rows:
    """The failing rows of an expectation; or why they are not known, or not from a rule."""

    rows: RowSet = NO_ROWS
    problem: str = ""
    without_rule: str = ""


def _rows(df: pd.DataFrame, configuration: ExpectationConfiguration, counted: dict[str, Any]) -> _Rows:
    if counted.get("unexpected_count") is None:
        return _Rows()
    try:
        rule = rules.compile_rule(configuration.type, configuration.kwargs)
        if not counted["unexpected_count"]:
            rule.judge(df.iloc[:1])  # it may not stand for columns of this type
            return _Rows()
        failing = RowSet.where(rule.judge(df).failing)
    except rules.NoRuleError as error:
        return _Rows(without_rule=str(error))
    except ValueError as error:
        return _Rows(problem=f"Great Expectations counts {counted['unexpected_count']} failing rows, and our rule says: {error}")
    return _agreeing(_Rows(failing), counted["unexpected_count"])


def _agreeing(found: _Rows, counted: int) -> _Rows:
    """Turn a different number of rows into a problem: one of the two is wrong, and neither may pass for right."""
    if len(found.rows) == counted:
        return found
    return _Rows(
        problem=f"Great Expectations counts {counted} failing rows, and {len(found.rows)} are found", without_rule=found.without_rule
    )


def _load(path: Path, scope: parts.Scope = parts.WHOLE, present: Sequence[str] = ()) -> tuple[ExpectationSuite, list[str]]:
    """Give a suite as far as it is in scope, and the columns of a table that it is to see."""
    import great_expectations as gx
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        suite = gx.ExpectationSuite(**values)
        # What it cannot build a suite only logs and leaves out (GX 1.24), and what is left out would pass.
        for asked in values.get("expectations") or []:
            ExpectationConfiguration(**asked).to_domain_obj()
        if scope != parts.WHOLE:
            narrowed = (scope.narrow(one, present) for one in values.get("expectations") or [])
            values["expectations"] = [one for one in narrowed if one is not None]
            suite = gx.ExpectationSuite(**values)
    except (ValueError, TypeError, gx.exceptions.GreatExpectationsError) as error:
        raise _malformed(path, error) from error
    return suite, scope.seen(present, values.get("expectations") or [])


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


def _result(result: ExpectationValidationResult, found: _Rows) -> ExpectationResult:
    configuration = _configuration(result)
    problems = [info["exception_message"] for info in _exceptions(result.exception_info) if info["raised_exception"]]
    subject = configuration.kwargs.get("column")
    told = {name: value for name, value in configuration.kwargs.items() if name not in ("column", "batch_id", "column_set")}
    words = configuration.type.removeprefix("expect_").replace("_", " ")
    return ExpectationResult(
        expectation=" ".join([*([f"'{subject}':"] if subject else []), words, *(f"{name}={value}" for name, value in told.items())]),
        severity=_severity(configuration),
        success=bool(result.success),
        failing_rows=found.rows,
        quarantine=bool((configuration.meta or {}).get("quarantine")),
        found=_found(result.result or {}),
        problem=problems[0].splitlines()[0] if problems else found.problem,
        notes=" ".join(configuration.notes) if isinstance(configuration.notes, list) else configuration.notes or "",
        without_rule=found.without_rule,
        columns=tuple(subject for name in SUBJECTS for subject in _listed(configuration.kwargs.get(name))),
    )


def _listed(subject: str | list[str] | None) -> list[str]:
    return [subject] if isinstance(subject, str) else subject or []


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
