from __future__ import annotations

import json
from dataclasses import replace

from tasks.core.card import MOST_DESCRIBED, Card, explanation_of
from tasks.core.champions import Attempt, Version
from tasks.core.decisions import Entry
from tasks.core.scoring import Input
from tasks.core.use_case import About, UseCase

CHECKS = [{"code": "not_worse", "outcome": "passed", "value": "loss −3 %", "limit": "+2 %"}]
METRICS = {"rmse": {"value": 2.5, "low": 2.0, "high": 3.0}}
GATE = Entry(
    "houses", "gate", 3, "better", "loss −3 %", "ann@desk", "2031-03-03T14:00:00+00:00",
    inputs={"source": "houses.csv", "rows": {"fit": 800, "gate": 200}, "metrics": METRICS, "checks": CHECKS},
)  # fmt: skip
EXPLAINED = {
    "warnings": [{"code": "leak_suspect", "message": "'price_again' alone tells the target"}],
    "importance": [{"feature": "rooms", "value": 0.5, "low": 0.4, "high": 0.6}],
    "slices": [
        {"feature": "rooms", "values": "1 to 2", "rows": 40, "is_worse": True, "loss": {"value": 9.0}},
        {"feature": "rooms", "values": "3 to 4", "rows": 60, "is_worse": False, "loss": {"value": 1.0}},
    ],
}
CARD = Card(
    use_case=UseCase(name="houses", pii=("owner",), description="Prices of houses."),
    version=Version(3, "r3", Attempt("s" * 64, "c", "f", "price", "regression"), None, {"model.skops": "a" * 64}),
    epochs=(("2031-03-03T14:00:00+00:00", ""),),
    decisions=(GATE, replace(GATE, kind="promote")),
    params={"candidate": "blend", "seed": "0", "weight/ridge": "0.4", "weight/mlp": "0.6", "time": ""},
    explanation=EXPLAINED,
    inputs=(Input("rooms", "number"), Input("owner", "category")),
    environment=("numpy==2.4.6",),
    commit="",
)


def test_a_card_tells_what_it_is_how_well_it_does_and_who_decided() -> None:
    told = CARD.as_text()
    assert told.startswith("# houses, version 3: model card\n\n**Champion**: since 2031-03-03 14:00")
    for line in (
        "Prices of houses.",
        "- Predicts: price (regression)",
        "- Average of: ridge 0.4, mlp 0.6",
        "| owner | category | personal |",
        "| rmse | 2.500 | 2 | 3 |",
        "| not worse | ✓ passed | loss −3 % | +2 % |",
        "| leak suspect | 'price\\_again' alone tells the target |".replace("\\_", "_"),
        "| rooms: 1 to 2 | 40 | 9 |",
        "| 2031-03-03 14:00 | promoted by the gate | better | loss −3 % | ann@desk |",
        "- Fit it again: python -m flows.reproduce 3 --use-case houses",
    ):
        assert line in told.splitlines(), line
    assert "3 to 4" not in told


def test_what_only_people_know_is_asked_for_until_it_is_told() -> None:
    assert "not told; say it under `card:`" in CARD.as_text()
    about = CARD.use_case.model_copy(update={"card": About(intended_use="offers to sellers", owner="ann")})
    told = replace(CARD, use_case=about).as_text()
    assert "- Meant for: offers to sellers" in told
    assert "- Responsible: ann" in told
    assert "not told" not in told


def test_the_verdict_is_its_place_in_the_line() -> None:
    former = replace(CARD, epochs=(("2031-03-03T14:00:00+00:00", "2031-04-01T00:00:00+00:00"),))
    assert "**Former champion**: from 2031-03-03 14:00 until 2031-04-01 00:00" in former.as_text()
    assert "**Never champion**: loss −3 %" in replace(CARD, epochs=(), decisions=(GATE,)).as_text()
    assert "**Never champion**: it never came before the gate" in replace(CARD, epochs=(), decisions=()).as_text()


def test_a_description_keeps_whole_parts_and_fits_into_the_registry() -> None:
    lasting = replace(CARD, epochs=()).as_text()
    assert CARD.as_description() == f"{lasting}\n\nThe whole card: `python -m flows card 3 --use-case houses`"
    wide = replace(CARD, inputs=tuple(Input(f"column {n}", "number") for n in range(500)))
    told = wide.as_description()
    assert len(told) <= MOST_DESCRIBED
    assert told.splitlines()[-1] == "The whole card: `python -m flows card 3 --use-case houses`"
    assert "column 0" not in told


def test_what_a_run_kept_is_read_or_left_out() -> None:
    assert explanation_of(json.dumps(EXPLAINED)) == EXPLAINED
    assert explanation_of("") == explanation_of("no JSON") == explanation_of("3") == {}


def test_scripts_read_the_same_facts() -> None:
    document = json.loads(json.dumps(CARD.as_json()))
    assert (document["version"], document["metrics"], document["checks"]) == (3, METRICS, CHECKS)
    assert document["inputs"][0] == {"name": "rooms", "type": "number"}
    assert document["files"] == {"model.skops": "a" * 64}
