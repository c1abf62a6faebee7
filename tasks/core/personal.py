"""Which columns may be about persons, by their names and by what stands in them; a person decides."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from tasks.core.table import Table

LOOKED_AT = 1000
# Words of a column's name, and whole names; `product_name` and `street_quality` are about no person.
WORDS = frozenset({"email", "phone", "telephone", "cellphone", "fax", "ssn", "passport", "iban", "dob", "surname"})
NAMES = frozenset({"name", "mail", "mobile", "tel", "address", "street", "birthday", "birthdate", "username", "ip"})
OF_PERSONS = r"(?:first|last|middle|full|given|family|maiden|user|customer|client|patient|employee|passenger|owner|contact|person)"
PHRASE = re.compile(
    rf"{OF_PERSONS}_?names?|(?:.*_)?{OF_PERSONS}_?name|(?:home|street|postal|ip|mail|billing|shipping)_?address"
    r"|(?:date|day)_of_birth|birth_?(?:date|day)|social_security.*|(?:credit_?)?card_(?:no|nr|number)|e_mail.*"
)
EMAIL = r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}"


def suspect_personal(table: pd.DataFrame | Table) -> dict[str, str]:
    """Say of columns that may be about persons why; by name.

    >>> import pandas as pd
    >>> suspect_personal(pd.DataFrame({"Home-Phone": [151.0], "size": [3.0], "reach": pd.Series(["a@b.org"], dtype="str")}))
    {'Home-Phone': 'its name says so', 'reach': 'it holds e-mail addresses'}
    """
    found = {name: _why(name, table[name]) for name in map(str, table)}
    return {name: why for name, why in found.items() if why}


def _why(name: str, values: pd.Series) -> str:
    if _is_called_personal(name):
        return "its name says so"
    return "it holds e-mail addresses" if values.dtype.kind not in "fM" and _holds_addresses(values) else ""


def _is_called_personal(name: str) -> bool:
    spelled = re.sub(r"(?<=[a-z])(?=[A-Z])|[\W_]+", "_", name).strip("_").lower()
    return spelled in NAMES or bool(WORDS & set(spelled.split("_"))) or bool(PHRASE.fullmatch(spelled))


def _holds_addresses(values: pd.Series) -> bool:
    texts = values.dropna().head(LOOKED_AT)
    return bool(len(texts)) and bool(texts.str.fullmatch(EMAIL).mean() > 0.5)
