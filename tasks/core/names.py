"""The one naming grammar: use cases, runs, digests."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from pathlib import PurePath

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")
BUNDLED, SIMULATED = "sklearn:", "simulated:"
PACKED = frozenset({".gz", ".bz2", ".xz", ".zst", ".zip"})


def is_bundled(source: str) -> bool:
    """Say whether a source names a table that comes with the project or its packages."""
    return source.startswith((BUNDLED, SIMULATED))


def is_simulated(source: str) -> bool:
    """Say whether the rows of a source are drawn by a program, and nobody ever observed them."""
    return source.startswith(SIMULATED)


def dashed(text: str) -> str:
    """Spell any text in lower-case letters, digits and single dashes.

    What has no spelling in these letters is told apart by a digest.

    >>> dashed("Kreditkarten (2024)_final"), dashed("Prämien"), dashed("表")
    ('kreditkarten-2024-final', 'pramien', 'table-c35f80')
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    spelled = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-") or "table"
    is_lossy = any(c.isalnum() and not unicodedata.normalize("NFKD", c).encode("ascii", "ignore") for c in text)
    return f"{spelled}-{digest(text)[:6]}" if is_lossy else spelled


def on_one_line(text: str) -> str:
    r"""Write what moves the cursor or the direction of writing, as names of files may hold it, as escapes.

    >>> on_one_line("day\n1.csv is empty")
    'day\\n1.csv is empty'
    """
    return CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def counted(number: int, what: str) -> str:
    """Write a number with what it counts.

    >>> counted(1, "row"), counted(2000, "row")
    ('1 row', '2,000 rows')
    """
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def stem_of(source: str) -> str:
    """Name a source without its folders and endings.

    >>> stem_of("data/sales.csv.gz"), stem_of("sqlite:///shop.db"), stem_of("sklearn:wine")
    ('sales', 'shop', 'wine')
    """
    path = PurePath(re.split(r"[?#]", source.partition("://")[2] or source.rpartition(":")[2])[0].rstrip("/"))
    return PurePath(path.stem).stem if path.suffix.lower() in PACKED else path.stem or "table"


def use_case_of(source: str) -> str:
    """Name the use case of a table that is given by its source.

    >>> use_case_of("data/Air Quality.csv"), use_case_of("sklearn:breast_cancer"), use_case_of("simulated:market_risk")
    ('air-quality', 'breast_cancer', 'market_risk_simulation')
    """
    name = source.partition(":")[2] if is_bundled(source) else dashed(stem_of(source))
    return f"{name}_simulation" if is_simulated(source) else name


def digest(*parts: str) -> str:
    """Give the SHA-256 of texts, each kept apart from the next, as 64 hexadecimal digits."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def run_name(job: str, use_case: str, digest: str) -> str:
    """Name a run: job, use case and the first eight digits of a digest."""
    return f"{job}-{use_case}-{digest[:8]}"
