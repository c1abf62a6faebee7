"""Take deliveries into the lake: validate them, set bad rows aside, and hold for a person what the data show to be damaged."""

from __future__ import annotations

from flows import _entry

if __name__ == "__main__":
    _entry.main("ingest")

from typing import TYPE_CHECKING

from tasks import data, ingestion, known_rows, labels, mending, notify, rows, validation
from tasks.core.deliveries import IngestReport
from tasks.core.options import IngestOptions
from tasks.record import flow

if TYPE_CHECKING:
    from tasks.core.deliveries import Delivery
    from tasks.core.snapshot import Batch
    from tasks.reception import Reception


@flow
@notify.ends_alarms
def ingest(options: IngestOptions = IngestOptions()) -> IngestReport:
    """Take what has come for a use case into its lake, or a batch that waits for a person's word.

    Args:
        options: What has come, and what is decided about it.
    """
    case = data.resolve_delivery(options)
    ingestion.prepare_stores(case)
    if options.dismiss and not options.accept:
        return ingestion.dismiss(case, options)
    if options.accept:
        reception, delivery, batch = ingestion.find_waiting(case, options)
        take = _take_labels if delivery.kind == "labels" else _take
        with ingestion.taking(reception, delivery):
            take(reception, delivery, batch, options.because or "")
        return ingestion.report(reception)
    reception = ingestion.open_reception(case, options)
    for delivery in ingestion.come_in(reception):
        with ingestion.taking(reception, delivery):
            batch = data.read_delivery(case.at(delivery.source))
            ingestion.check_columns(reception, delivery, batch)
            if mending.is_sheet(batch):
                _mend(reception, delivery, batch)
            elif delivery.kind == "labels":
                _take_new_labels(reception, delivery, labels.in_utc(batch))
            elif not ingestion.is_known(reception, delivery, batch):
                _take(reception, delivery, rows.complete(reception, batch))
    return ingestion.report(reception)


def _take(reception: Reception, delivery: Delivery, batch: Batch, because: str = "") -> None:
    news = known_rows.find_news(reception, delivery, batch, because)
    if news:
        verdict = validation.judge(reception.case, news.judged, rows.asked(reception, batch))
        late = validation.judge_labels(reception.case, news.late, reception.target)
        rows.take(reception, delivery, news, rows.inspect(reception, delivery, news, verdict, late), because)


def _take_new_labels(reception: Reception, delivery: Delivery, batch: Batch) -> None:
    if not labels.is_known(reception, delivery, batch):
        _take_labels(reception, delivery, batch)


def _take_labels(reception: Reception, delivery: Delivery, batch: Batch, because: str = "") -> None:
    brought = labels.find_labels(reception, delivery, batch)
    verdict = validation.judge_labels(reception.case, brought.batch, reception.target)
    labels.take(reception, delivery, brought, labels.inspect(reception, delivery, brought, verdict), because)


def _mend(reception: Reception, delivery: Delivery, sheet: Batch) -> None:
    mended = mending.find_mended(reception, delivery, sheet)
    if mended and mended.before.kind == "labels":
        mending.mend_labels(reception, delivery, mended, validation.judge_labels(reception.case, mended.batch, reception.target))
    elif mended:
        mending.mend(reception, delivery, mended, validation.judge(reception.case, mended.batch, mended.asked))
