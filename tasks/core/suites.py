"""Suites as plain values: what stands in `expectations/<name>.json`, and how two of them differ."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from tasks.core.errors import UsageError
from tasks.core.reading.forms import FORMS
from tasks.core.validation import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tasks.core.reading.terms import Sort

Origin = Literal["proposed", "edited by hand", "written by hand", "taken out by hand"]
MARK = "proposal"
PROPOSED = "proposed"  # meta of a suite: digests of what was ever proposed for it, so that what a person takes out stays out
# Some kwargs only say what goes without saying; Great Expectations leaves these out when it writes a suite.
SORTS: dict[str, Sort] = {"float64": "number", "str": "text", "datetime64[us]": "date"}
SUBJECTS = ("column", "column_list", "column_A", "column_B")


class Expectation(BaseModel):
    """One expectation in the form of Great Expectations.

    `meta.proposal` is a digest of what was proposed: a person who edits it leaves the digest behind.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str
    kwargs: dict[str, JsonValue] = Field(default_factory=dict[str, JsonValue])
    severity: Severity = "critical"
    meta: dict[str, JsonValue] | None = None
    notes: str | list[str] | None = None
    id: str | None = None
    description: str | None = None

    @property
    def title(self) -> str:
        """Name its column and what is expected of it.

        >>> Expectation(type="expect_column_values_to_be_unique", kwargs={"column": "id"}).title
        "'id': column values to be unique"
        """
        subjects = [_spell(self.kwargs[name]) for name in SUBJECTS if name in self.kwargs]
        words = self.type.removeprefix("expect_").replace("_", " ")
        return f"{', '.join(subjects)}: {words}" if subjects else words

    @property
    def said(self) -> str:
        """Spell all that has consequences, so that two can be compared."""
        meta = {name: value for name, value in (self.meta or {}).items() if name != MARK}
        return json.dumps([self.type, self.kwargs, self.severity, meta], sort_keys=True)

    @property
    def origin(self) -> Origin:
        """Say whether it stands as it was proposed."""
        mark = (self.meta or {}).get(MARK)
        return "written by hand" if mark is None else "proposed" if mark == self._seal else "edited by hand"

    def marked(self) -> Expectation:
        """Give it with the digest of a proposal."""
        return self.model_copy(update={"meta": {**(self.meta or {}), MARK: self._seal}})

    @property
    def subject(self) -> str:
        """Spell what it is about: two of one subject are two opinions on the same."""
        return json.dumps([self.type, *(self.kwargs.get(name) for name in SUBJECTS)])

    @property
    def _seal(self) -> str:
        return _digest(json.dumps([self.said, self.notes]))  # notes too, for they are a person's work


def _are_booleans(values: JsonValue) -> bool:
    return isinstance(values, list) and len(values) > 0 and all(value in FORMS for value in values)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _spell(value: JsonValue) -> str:
    return f"'{value}'" if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


class Suite(BaseModel):
    """A suite in the form of Great Expectations."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    expectations: tuple[Expectation, ...] = ()
    meta: dict[str, JsonValue] | None = None
    notes: str | list[str] | None = None
    id: str | None = None

    @property
    def ever_proposed(self) -> frozenset[str]:
        """Give digests of the subjects that were ever proposed for it."""
        return frozenset(str((self.meta or {}).get(PROPOSED, "")).split())

    @property
    def kinds(self) -> dict[str, Sort]:
        """Say what columns hold, as far as it is expected: their types, and of text that it is true or false.

        >>> held = {"column": "smoker", "value_set": ["false", "true"]}
        >>> Suite(name="s", expectations=(Expectation(type="expect_column_values_to_be_in_set", kwargs=held),)).kinds
        {'smoker': 'boolean'}
        """
        kinds: dict[str, Sort] = {}
        for column, kwargs in self._asked("be_of_type"):
            if sort := SORTS.get(str(kwargs.get("type_"))):
                kinds[column] = sort
        for column, kwargs in self._asked("be_in_set"):
            if _are_booleans(kwargs.get("value_set")):
                kinds[column] = "boolean"
        return kinds

    def _asked(self, what: str) -> list[tuple[str, dict[str, JsonValue]]]:
        found = (expectation.kwargs for expectation in self.expectations if expectation.type == f"expect_column_values_to_{what}")
        return [(column, kwargs) for kwargs in found if isinstance(column := kwargs.get("column"), str)]

    def remembering(self, subjects: Iterable[str] = ()) -> Suite:
        """Give it with a memory of what it proposes now, and of what was proposed before."""
        proposed = {_digest(expectation.subject) for expectation in self.expectations if MARK in (expectation.meta or {})}
        return self.model_copy(update={"meta": {**(self.meta or {}), PROPOSED: " ".join(sorted({*proposed, *subjects}))}})

    def to_json(self) -> str:
        """Write the suite as a person reviews it."""
        return json.dumps(self.model_dump(exclude_none=True), indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str, *, where: str) -> Suite:
        """Read a suite.

        Raises:
            UsageError: the text is no suite.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            at = ".".join(str(part) for part in first["loc"])
            message = f"{where} is not a Great Expectations suite: {f'{at!r}: ' if at else ''}{first['msg'].lower()}"
            raise UsageError(message, where=where) from error


@dataclass(frozen=True)
class Change:
    """One difference between a suite and a proposal.

    Attributes:
        before: What the suite holds; None when the proposal adds.
        after: What is proposed; None when the proposal has nothing like it.
        origin: Who wrote what the suite holds, as far as that can be told.
    """

    before: Expectation | None
    after: Expectation | None
    origin: Origin

    def __str__(self) -> str:
        """Write the change in one line."""
        if self.before is None or self.after is None:
            sign, expectation = ("+", self.after) if self.before is None else ("-", self.before)
            told = f"{sign} {expectation.title} ({expectation.severity})" if expectation else sign
        else:
            told = f"~ {self.before.title}: " + "; ".join(_list_differences(self.before, self.after))
        return told if self.origin == "proposed" else f"{told} [{self.origin}]"


def _list_differences(before: Expectation, after: Expectation) -> list[str]:
    """Name each value that differs, with both."""
    old, new = _flat(before), _flat(after)
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    return [_tell_difference(name, old.get(name), new.get(name)) for name in names]


def _flat(expectation: Expectation) -> dict[str, JsonValue]:
    meta = {name: value for name, value in (expectation.meta or {}).items() if name != MARK}
    return {**expectation.kwargs, "severity": expectation.severity, **meta}


def _tell_difference(name: str, before: JsonValue, after: JsonValue) -> str:
    if isinstance(before, list) and isinstance(after, list):
        signs = [f"+{_spell(item)}" for item in after if item not in before] + [f"-{_spell(item)}" for item in before if item not in after]
        return f"{name} {' '.join(signs) or 'in another order'}"
    old, new = ("none" if value is None else _spell(value) for value in (before, after))
    return f"{name} {old} → {new}"


def compare_suites(existing: Suite, proposal: Suite) -> tuple[Change, ...]:
    """List what a proposal would add to a suite, remove from it and change in it, in the order of the files.

    Two expectations are about the same when their types and columns are. Notes have no consequences and are not compared.

    >>> old = Suite(name="s", expectations=(Expectation(type="expect_x", kwargs={"column": "a", "max_value": 3}),))
    >>> new = Suite(name="s", expectations=(Expectation(type="expect_x", kwargs={"column": "a", "max_value": 4}),))
    >>> [str(change) for change in compare_suites(old, new)]
    ["~ 'a': x: max_value 3 → 4 [written by hand]"]
    """
    said = {expectation.said for expectation in existing.expectations} & {expectation.said for expectation in proposal.expectations}
    old = [expectation for expectation in existing.expectations if expectation.said not in said]
    new = [expectation for expectation in proposal.expectations if expectation.said not in said]
    changes: list[Change] = []
    for before in old:
        after = next((other for other in new if other.subject == before.subject), None)
        new = [other for other in new if other is not after]
        changes.append(Change(before, after, before.origin))
    known = existing.ever_proposed
    return (*changes, *(Change(None, after, "taken out by hand" if _digest(after.subject) in known else "proposed") for after in new))


def apply_changes(existing: Suite, proposal: Suite, changes: Sequence[Change]) -> Suite:
    """Bring a suite up to a proposal, except for what a person edited, wrote or took out.

    Args:
        existing: The suite.
        proposal: The proposal.
        changes: What `compare_suites` found between them.
    """
    changed = {id(change.before): change.after for change in changes if change.before is not None and change.origin == "proposed"}
    kept = [changed.get(id(expectation), expectation) for expectation in existing.expectations]
    added = [change.after for change in changes if change.before is None and change.origin == "proposed"]
    expectations = tuple(expectation for expectation in (*kept, *added) if expectation is not None)
    updated = existing.model_copy(update={"expectations": expectations})
    return updated.remembering(existing.ever_proposed | proposal.ever_proposed)


def describe_changes(changes: Sequence[Change]) -> str:
    """Write changes for a person: how many of each sort, then one a line.

    >>> describe_changes(())
    'the proposal says what the suite says'
    """
    if not changes:
        return "the proposal says what the suite says"
    added = sum(change.before is None for change in changes)
    removed = sum(change.after is None for change in changes)
    by_hand = sum(change.origin != "proposed" for change in changes)
    head = f"{added} added, {removed} removed, {len(changes) - added - removed} changed; {by_hand} of them by hand before"
    return "\n".join([head, *map(str, changes)])
