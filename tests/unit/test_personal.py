from __future__ import annotations

import pandas as pd
import pytest

from tasks.core.personal import suspect_personal


@pytest.mark.parametrize(
    "name",
    [
        "email",
        "E-Mail",
        "Phone",
        "phoneNumber",
        "CustomerName",
        "first_name",
        "lastName",
        "name",
        "Full-Name",
        "SSN",
        "Date-of-Birth",
        "shipping-address",
        "ip",
        "iban",
    ],
)
def test_a_column_that_is_called_like_what_is_personal_is_suspected(name: str) -> None:
    assert suspect_personal(pd.DataFrame({"size": [1.0], name: [2.0]})) == {name: "its name says so"}


@pytest.mark.parametrize(
    "name", ["product_name", "filename", "street_quality", "relationship", "mail_order", "mobile_sales", "addresses_seen", "PT08.S1(CO)"]
)
def test_a_column_that_only_sounds_like_it_is_not(name: str) -> None:
    assert suspect_personal(pd.DataFrame({name: [2.0]})) == {}


def test_addresses_give_a_column_away_whatever_it_is_called() -> None:
    texts = pd.Series(["ann@shop.org", None, "bob@x.co.uk", "none"], dtype="str")
    assert suspect_personal(pd.DataFrame({"reach": texts})) == {"reach": "it holds e-mail addresses"}
    assert suspect_personal(pd.DataFrame({"reach": texts.str.replace("@", " at "), "empty": pd.Series([None] * 4, dtype="str")})) == {}
