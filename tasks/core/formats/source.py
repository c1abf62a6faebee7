"""What a file holds, told by its bytes and never by its name alone."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from tasks.core.errors import DataRefusedError, UsageError
from tasks.core.reading.blob import Blob
from tasks.core.reading.encodings import wide_encoding

if TYPE_CHECKING:
    from tasks.core.reading.sheets import SheetRows
    from tasks.core.reading.terms import Repair
    from tasks.core.table import Table

HEAD_BYTES = 4096
SNIFFED_BYTES = 65_536
SHOWN_NAMES = 10
CHANGED = "changed while it was read; try again when it is complete"
# Package, and the extra of ours that brings it.
EXTRAS = {"s3fs": "s3", "gcsfs": "gcs", "psycopg": "postgres"}
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

SECRET = re.compile(r"(?<=://)[^/?#]+(?=@)|(?<=\?).+")

COMPRESSIONS = {
    "gz": rb"\x1f\x8b\x08",
    "bz2": rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)",
    "xz": rb"\xfd7zXZ\0",
    "zst": rb"(?:[\x50-\x5f]\x2a\x4d\x18|\x28\xb5\x2f\xfd)",  # a skippable frame, or the first real one
    "zip": rb"PK(?:\x03\x04|\x05\x06|\x07\x08)",
}


class Signature(NamedTuple):
    """Bytes that a file of a kind starts with, what it is, and what to do instead."""

    start: re.Pattern[bytes]
    what: str
    advice: str


def _signature(start: bytes, what: str, advice: str) -> Signature:
    return Signature(re.compile(start, re.DOTALL), what, advice)


# "PAR1", "FEA1" and "ORC" may also be names in the header of a CSV file, so these look further.
UNREADABLE = (
    _signature(rb"SQLite format 3\0", "an SQLite database", "name it as sqlite:///{source} with --read query='SELECT ...'"),
    _signature(rb"ARROW1\0\0|FEA1.*FEA1\Z", "an Arrow (Feather) file", "write the table as Parquet"),
    _signature(rb"PARE[\x00-\x1f]", "an encrypted Parquet file", "write it without encryption"),
    _signature(rb"\xd0\xcf\x11\xe0.*E\0n\0c\0r\0y\0p\0t\0e\0d\0P", "a password-protected Excel file", "save it without a password"),
    _signature(
        rb"\xd0\xcf\x11\xe0",
        "an old Excel (.xls) or other Office file",
        "save the sheet as .xlsx or CSV, or run: libreoffice --headless --convert-to xlsx {source}",
    ),
    _signature(rb"%PDF-", "a PDF document", "export the table as CSV"),
    _signature(rb"ORC[\x00-\x1f].*ORC.\Z", "an ORC file", "write the table as Parquet"),
    _signature(rb"Obj\x01", "an Avro file", "write the table as Parquet"),
    _signature(rb"\x89HDF\r\n", "an HDF5 file", "write the table as Parquet"),
    _signature(rb"\x93NUMPY", "a NumPy array", "write a table with named columns as CSV or Parquet"),
    _signature(rb"\x80[\x02-\x05][\x95c}\](K.]", "a pickle, which may run code when it is opened", "write the table as Parquet"),
    _signature(rb"<stata_dta>", "a Stata file", "export the table as CSV"),
    _signature(rb"\$FL[23]@\(#\)", "an SPSS file", "export the table as CSV"),
    _signature(rb"\x89PNG\r\n|\xff\xd8\xff|GIF8[79]a", "an image", "name a table"),
    _signature(rb"7z\xbc\xaf\x27\x1c|Rar!\x1a\x07", "a 7z or RAR archive", "unpack it and name the file"),
    _signature(rb".{257}ustar[\0 ]", "a tar archive", "unpack it and name the folder"),
    _signature(rb"version https://git-lfs", "a Git LFS pointer, not the file it stands for", "run: git lfs pull"),
    _signature(rb"(?:404: Not Found|403: Forbidden|[45]\d\d [A-Z][A-Za-z ]{2,40})\s*\Z", "an error message, not a table", "fetch it again"),
)

NAMED = {
    "text": (".csv", ".tsv", ".tab", ".psv"),
    "excel": (".xlsx", ".xlsm", ".xls"),
    "parquet": (".parquet", ".pq"),
    "jsonl": (".jsonl", ".ndjson", ".json"),
}
COMPRESSED_NAMES = {".gz": "gz", ".bz2": "bz2", ".xz": "xz", ".zst": "zst", ".zip": "zip"}
CALLED = {"text": "text", "excel": "an Excel workbook", "parquet": "a Parquet file", "jsonl": "JSON"}


@dataclass(frozen=True)
class Content:
    """What one file, query or bundled table holds, unpacked but, where it is text, not yet read.

    Attributes:
        source: As the person wrote it, without secrets; for a folder or glob that of each file.
        format: One of text, excel, parquet, jsonl, sql, bundled.
        compression: One of gz, bz2, xz, zst, zip; empty where there was none.
        data: The unpacked bytes of a file, read when they are needed.
        sheet: The cells of an Excel sheet as text.
        table: The rows of the other formats.
        repairs: What a person should know: a lying extension, merged cells, values of mixed types.
    """

    source: str
    format: str
    compression: str = ""
    data: Blob = field(default_factory=lambda: Blob(b""))
    sheet: SheetRows | None = None
    table: Table | None = None
    repairs: tuple[Repair, ...] = ()

    @property
    def note(self) -> str:
        """Say what a person should know in one sentence, or give an empty text."""
        return "; ".join(repair.detail for repair in self.repairs)


def refused(source: str, what: str, where: str = "") -> DataRefusedError:
    """Build the refusal `source what`, about a place in it if one is named."""
    place = f"{source}, {where}" if where else source
    return DataRefusedError(f"{place}: {what}" if where else f"{place} {what}", where=place)


def listed(names: list[str]) -> str:
    """Name the first few of many.

    >>> listed([f"t{i}" for i in range(12)])
    't0, t1, t2, t3, t4, t5, t6, t7, t8, t9 and 2 more'
    """
    more = f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
    return ", ".join(names[:SHOWN_NAMES]) + more


def compression_of(data: bytes) -> str:
    r"""Name the compression of a file, or give an empty text.

    >>> compression_of(b"\x1f\x8b\x08..."), compression_of(b"BZh9,size")
    ('gz', '')
    """
    return next((name for name, start in COMPRESSIONS.items() if re.match(start, data)), "")


def format_of(blob: Blob, source: str, *, is_surely_text: bool = False) -> str:
    """Say whether bytes that are not compressed are text, jsonl or parquet.

    Args:
        blob: All bytes of the file.
        source: Named in messages.
        is_surely_text: Whether a person has named the encoding.

    Raises:
        DataRefusedError: they are something else, or nothing.
    """
    start, end = blob.read(0, SNIFFED_BYTES), blob.read(max(0, blob.size - SNIFFED_BYTES), SNIFFED_BYTES)
    _check_is_readable(blob, start, end, source)
    if start.startswith(b"PAR1\x15") or (end.endswith(b"PAR1") and blob.size > 12):
        return "parquet"
    head = _head(start)
    if not head.strip("\ufeff \t\r\n\v\f\0") and not any(part.strip(b"\0\xff\xfe\xef\xbb\xbf \t\r\n\v\f") for part in blob.parts()):
        raise refused(source, "is empty" if not head.strip("\ufeff") else "holds nothing but blanks or NUL bytes")
    _check_is_no_page(head, end, source)
    if re.match(r'\s*(?:\{\s*["}]|\[\s*[\[{\]])', head):
        return "jsonl"
    if not is_surely_text and _is_binary(start):
        raise refused(source, "is binary data of a format that is not known; give a text file, Parquet or Excel")
    return "text"


def _check_is_readable(blob: Blob, start: bytes, end: bytes, source: str) -> None:
    is_searched_whole = start.startswith(OLE) or blob.size <= 2 * SNIFFED_BYTES
    ends = blob.whole() if is_searched_whole else start + end
    for signature, what, advice in UNREADABLE:
        if signature.match(ends):
            raise refused(source, f"is {what}; {advice.format(source=source)}")


def _head(start: bytes) -> str:
    """Give the start of a file as text: exact where it is ASCII, which is all that is looked for."""
    head = start[:HEAD_BYTES]
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return head.decode("utf-16", errors="replace")
    return head.removeprefix(codecs.BOM_UTF8).decode("latin-1")


def _check_is_no_page(head: str, end: bytes, source: str) -> None:
    """Refuse HTML and XML. A name in angle brackets alone is none: `<DATE>,<OPEN>` is the header of many price tables."""
    if re.match(r"\s*<(?:!doctype\s+html|html|head|body)\b", head, re.IGNORECASE):
        title = re.search(r"<title[^>]*>\s*([^<]{1,60}?)\s*</title>", head, re.IGNORECASE)
        raise refused(source, f"is an HTML page{f' ({title[1]!r})' if title else ''}, not a table; fetch the file itself")
    tag = re.match(r"\s*<(?:(\?xml|!--|!doctype)\b|([A-Za-z][\w:.-]*)(?:\s[^<>]*)?>)", head, re.IGNORECASE)
    if tag and (tag[1] or end.rstrip(b"\0\r\n\t ").endswith(f"</{tag[2]}>".encode())):
        raise refused(source, "is XML or HTML, not a table; export the table as CSV")


def _is_binary(data: bytes) -> bool:
    """Say whether bytes are no text in any encoding.

    NUL bytes do not count: UTF-16 has them, and damaged text; nor do ^A, with which Hive separates cells, and the separators of ASCII.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or wide_encoding(data):
        return False
    sniffed = data[:SNIFFED_BYTES].replace(b"\0", b"")
    controls = len(sniffed) - len(sniffed.translate(None, bytes([*range(2, 9), *range(14, 27), 127])))
    return controls > 16 and controls > 0.03 * len(sniffed)


def name_note(source: str, format_: str, compression: str) -> str:
    """Say in what a name differs from the content, or give an empty text.

    >>> name_note("t.csv", "parquet", "")
    'is named .csv but holds a Parquet file; it was read as that'
    >>> name_note("t.csv.gz", "text", "")
    'is named .gz but is not compressed'
    """
    name = source.rsplit("/", 1)[-1].lower()
    stem, dot, suffix = name.rpartition(".")
    packed = COMPRESSED_NAMES.get(dot + suffix, "")
    if packed and packed != compression:
        return f"is named .{suffix} but is {f'compressed with {compression}' if compression else 'not compressed'}"
    if packed:
        suffix = stem.rpartition(".")[2]
    expected = next((kind for kind, suffixes in NAMED.items() if f".{suffix}" in suffixes), format_)
    return "" if expected == format_ else f"is named .{suffix} but holds {CALLED[format_]}; it was read as that"


def secrets_of(url: str) -> list[str]:
    """Give what may be secret in a URL: user and password, and everything behind a question mark.

    >>> secrets_of("https://ann:pw@host/t.csv?sig=abc")
    ['ann:pw', 'sig=abc']
    """
    return SECRET.findall(url)


def shown_url(url: str) -> str:
    """Write a URL without what may be a secret in it: user, password and everything behind a question mark.

    >>> shown_url("https://ann:pw@host/t.csv?sig=abc")
    'https://***@host/t.csv?***'
    """
    return SECRET.sub("***", url)


def with_driver(url: str) -> str:
    """Name the driver of a PostgreSQL URL that names none: the one that the extra `postgres` brings.

    >>> with_driver("postgresql://db/shop"), with_driver("postgresql+asyncpg://db/shop")
    ('postgresql+psycopg://db/shop', 'postgresql+asyncpg://db/shop')
    """
    scheme, mark, rest = url.partition("://")
    return f"postgresql+psycopg://{rest}" if mark and scheme.lower() == "postgresql" else url


def missing_package(package: str, what: str) -> UsageError:
    """Build the message about something that needs a package, and the extra of ours that brings it."""
    extra = f"pip install 'evergreen-modelops[{EXTRAS[package]}]', or: " if package in EXTRAS else ""
    return UsageError(f"{what} need a package that is not installed: {extra}pip install {package}", where=package)
