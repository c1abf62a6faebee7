"""What the lake is told and what it answers: terms, receipts, snapshots, counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from tasks.core.errors import StoreError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

BATCH_DIGITS = 16  # of a batch's digest that name it among all batches


class Terms(BaseModel):
    """What a use case says of its rows; a lake keeps to the terms of its first batch.

    Attributes:
        key: Columns that name a row; none: a hash of its cells does.
        target: Column whose values are labels; None: labels only come on their own.
        integers: Columns that keep whole numbers exactly.
        personal: Columns whose values no message may show.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: tuple[str, ...] = ()
    target: str | None = None
    integers: tuple[str, ...] = ()
    personal: tuple[str, ...] = ()


class Receipt(BaseModel):
    """What an append did.

    Attributes:
        batch: Its digest.
        is_new: False when the lake held the batch already, and nothing was appended.
        observations: Rows appended.
        labels: Labels appended.
        unlabelled: Rows or labels without a value.
        quarantined: Rows set aside.
        late: Labels appended of rows that came before without one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    batch: str
    is_new: bool
    observations: int = 0
    labels: int = 0
    unlabelled: int = 0
    quarantined: int = 0
    late: int = 0


class Arrival(BaseModel):
    """A batch of the lake: when it arrived, and where its rows went; those that were mended came with another batch.

    Of a batch of labels alone, those that were set aside are `labels_quarantined`, for they are no rows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    batch: str
    arrived_at: AwareDatetime
    observations: int = 0
    labels: int = 0
    quarantined: int = 0
    labels_quarantined: int = 0


@dataclass(frozen=True)
class OpenRows:
    """Rows of a batch that were set aside and have not been mended yet.

    Attributes:
        batch: Its digest.
        rows: Their places in its delivery, from 1.
        mendings: How often rows of it were mended so far.
        mended: With which batch each row that was mended came back, by its place.
    """

    batch: str
    rows: np.ndarray
    mendings: int
    mended: Mapping[int, str] = field(default_factory=dict[int, str])


class LakeSnapshot(BaseModel):
    """A state of rows that never changes and can be read again: table versions, filter, digest.

    Rows are in the order of their arrival: by time, then batch, then place in the batch.

    Attributes:
        use_case: Whose lake.
        observations: Version of the table.
        labels: Version of the table; None when there is none.
        as_of: Rows and labels that had arrived by then.
        since: Rows that had arrived before are left out; None: none is.
        rows: How many.
        labelled: How many of them have a label.
        digest: Of columns and cells in their order, label included.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    use_case: str
    observations: int = Field(ge=0)
    labels: int | None = Field(ge=0)
    as_of: AwareDatetime
    since: AwareDatetime | None = None
    rows: int = Field(ge=0)
    labelled: int = Field(ge=0)
    digest: str = Field(pattern=r"^[0-9a-f]{64}$")

    def as_text(self) -> str:
        """Give the text that a model version carries, one line of JSON."""
        return self.model_dump_json()

    @classmethod
    def from_text(cls, text: str) -> LakeSnapshot:
        """Read what `as_text` gave.

        Raises:
            StoreError: the text is something else.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            problem = error.errors()[0]
            where = ".".join(str(part) for part in problem["loc"])
            message = f"this text names no snapshot of a lake: {where or 'it'}: {problem['msg'].lower()}; it was not written by Evergreen"
            raise StoreError(message, where=where) from error


def versions_of(text: str) -> dict[str, int | None]:
    """Give the versions of the tables that a snapshot's text names; none for an empty text."""
    snapshot = LakeSnapshot.from_text(text) if text else None
    return {"observations": snapshot.observations, "labels": snapshot.labels} if snapshot else {}


class LabelCounts(BaseModel):
    """What is to be told of the labels that had arrived by a time.

    Attributes:
        total: All labels.
        late: Arrived after their row.
        corrected: Changed the value of one before.
        duplicate: Repeated the value of the one before.
        unknown: Name a row that is not there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    total: int
    late: int
    corrected: int
    duplicate: int
    unknown: int


class Maintenance(BaseModel):
    """What a maintenance did: files of the current versions before and after, and what was removed from storage."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    files_before: int = 0
    files_after: int = 0
    removed: int = 0
    removed_bytes: int = 0

    def __add__(self, other: Maintenance) -> Maintenance:
        """Add up what was done at two places.

        >>> (Maintenance(files_before=3, files_after=1) + Maintenance(removed=3, removed_bytes=90)).removed
        3
        """
        return Maintenance(**{name: getattr(self, name) + getattr(other, name) for name in Maintenance.model_fields})


def microseconds(time: datetime) -> int:
    """Count the microseconds from 1970 to a time that has a zone, exactly.

    >>> from datetime import UTC
    >>> microseconds(datetime(2024, 1, 1, tzinfo=UTC))
    1704067200000000
    """
    return (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def aware(time: datetime, what: str) -> datetime:
    """Give a time that has a zone.

    Raises:
        UsageError: it has none, and would be taken for another instant on another machine.
    """
    if time.tzinfo is None:
        message = f"{what} is {time.isoformat()} without a time zone; add one, such as {time.isoformat()}+00:00"
        raise UsageError(message, where=what)
    return time


def moment_of(text: str, where: str) -> datetime:
    """Read a moment that a person wrote; one without a zone is in UTC.

    >>> moment_of("2026-03-03T14:00", "--at").isoformat()
    '2026-03-03T14:00:00+00:00'

    Raises:
        UsageError: it is none.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        message = f"'{text}' is no moment; write it as 2026-03-03T14:00, in UTC or with its zone"
        raise UsageError(message, where=where) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
