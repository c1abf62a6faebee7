"""Take deliveries into the lake: validate them, set bad rows aside, and hold for a person what the data show to be damaged."""

from __future__ import annotations

from flows import _entry

if __name__ == "__main__":
    _entry.main("ingest")

from tasks import data, ingestion, labels, mending, validation
from tasks.core.deliveries import IngestReport
from tasks.core.options import IngestOptions
from tasks.record import flow


@flow
def ingest(options: IngestOptions = IngestOptions()) -> IngestReport:
    """Take what has come for a use case into its lake, or a batch that waits for a person's word.

    Args:
        options: What has come, and what is decided about it.
    """
    case = data.resolve_delivery(options)
    ingestion.prepare_stores(case)
    if options.accept:
        reception, delivery, batch = ingestion.find_waiting(case, options)
        with ingestion.taking(reception, delivery):
            verdict = validation.judge(case, batch)
            ingestion.take(reception, delivery, batch, ingestion.inspect(reception, delivery, batch, verdict), options.because or "")
        return ingestion.report(reception)
    reception = ingestion.open_reception(case, options)
    for delivery in ingestion.come_in(reception):
        with ingestion.taking(reception, delivery):
            batch = data.read_delivery(case.at(delivery.source))
            ingestion.check_columns(reception, delivery, batch)
            if mending.is_sheet(batch):
                mended = mending.find_mended(reception, delivery, batch)
                if mended:
                    mending.mend(reception, delivery, mended, validation.judge(case, mended.batch))
            elif ingestion.is_known(reception, delivery, batch):
                continue
            elif delivery.kind == "labels":
                labels.take_labels(reception, delivery, labels.in_utc(batch))
            else:
                batch = ingestion.complete(reception, batch)
                verdict = validation.judge(case, batch)
                ingestion.take(reception, delivery, batch, ingestion.inspect(reception, delivery, batch, verdict))
    return ingestion.report(reception)
