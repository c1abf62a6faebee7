"""Who is champion, as people and the gate decide it in turn: one use case, from its first champion to a damaged file."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from tasks import cards, standing
from tasks.adapters import home, ledger
from tasks.adapters.tracking import model_registry
from tasks.core.decisions import broken_link
from tasks.core.errors import NotReproducedError, StoreError, UnsafeModelError, UsageError
from tasks.core.options import CardOptions, CompareOptions, ExplainOptions, StatusOptions
from tasks.core.succession import describe

if TYPE_CHECKING:
    from conftest import Project, Run

    from tasks.core.decisions import Entry

WHY = "the plant was rebuilt"
STRICT = {
    "tolerance": 0.3,
    "approval": True,
    "floors": {"r2": 0.999},
    "behaviour": "cases.csv",
    "block": ["behaviour"],
    "slices": ["a"],
    "slice_rows": 20,
    "protected": ["b"],
}


def train(project: Project, seed: int, *, noise: float = 1.0) -> Run:
    random = np.random.default_rng(seed)
    X = random.normal(size=(300, 2)).round(6)
    y = (3 * X[:, 0] - 2 * X[:, 1] + noise * random.normal(size=300)).round(6)
    project.write_table("boilers", pd.DataFrame(X, columns=["a", "b"]).assign(y=y))
    return project.train(use_case="boilers")


def decide(project: Project, flow: str, **options: object) -> Run:
    return project.decide(flow, use_case="boilers", **options)


def entries() -> list[Entry]:
    return ledger.decisions(home.settings().ledger_address, "boilers")


@pytest.fixture(scope="module")
def life(project: Project) -> dict[str, Run]:
    """Two champions; back, forth and back again; a held version that is approved; one that waits and is rejected; a release."""
    project.write_use_case("boilers", data="boilers.csv", candidates=["ridge"], gate={"tolerance": 0.3})
    told = {"first": train(project, 0), "second": train(project, 1)}
    told |= {name: decide(project, "rollback", because=WHY) for name in ("back", "forth", "back again")}
    told |= {"held": train(project, 2), "approved": decide(project, "promote", because=WHY)}
    project.write_use_case("boilers", data="boilers.csv", candidates=["ridge"], gate={"tolerance": 0.3, "approval": True})
    told |= {"waits": train(project, 3), "rejected": decide(project, "promote", reject=True, because=WHY)}
    project.folder.joinpath("cases.csv").write_text("a,b,at_most\n1,0,2\n0,0,1\n", encoding="utf-8")
    project.write_use_case("boilers", data="boilers.csv", candidates=["ridge"], gate=STRICT)
    told |= {"refused": decide(project, "promote", version=4, because=WHY)}
    told |= {"waived": decide(project, "promote", version=4, waive=["floors", "behaviour"], because=WHY)}
    told |= {"last": decide(project, "rollback", version=2, because=WHY), "released": decide(project, "rollback", release=True)}
    return told


def test_each_word_is_the_final_state_of_its_run(life: dict[str, Run]) -> None:
    assert {name: run.flow_run.state.name for name, run in life.items()} == {
        "first": "Promoted",
        "second": "Promoted",
        "back": "Rolled back",
        "forth": "Rolled back",
        "back again": "Rolled back",
        "held": "Kept champion",
        "approved": "Promoted",
        "waits": "Awaiting approval",
        "rejected": "Rejected",
        "refused": "Kept champion",
        "waived": "Promoted",
        "last": "Rolled back",
        "released": "Released",
    }


def test_a_version_is_fitted_again_and_what_was_changed_since_shows(project: Project, life: dict[str, Run]) -> None:
    run = project.reproduce(use_case="boilers", version=2)
    assert (run.report.likeness, run.report.changed) == ("identical", {})
    assert "**identical**" in run.artifacts["boilers-reproduction"].data
    recipe = recipe_of(life["second"].report.run_id)
    kept = recipe.read_text(encoding="utf-8")
    recipe.write_text(kept.replace('"settings": {}', '"settings": {"alpha": 1000.0}'), encoding="utf-8")
    error = project.reproduce(use_case="boilers", version=2).error
    assert isinstance(error, NotReproducedError)
    assert "version 2 of boilers is not reproduced: on 60 gate rows the judged fit is different, at most" in error.message
    recipe.unlink()
    told = project.reproduce(use_case="boilers", version=2).error
    assert isinstance(told, UsageError)
    assert "kept no recipe" in told.message
    recipe.write_text(kept, encoding="utf-8")


def recipe_of(run_id: str) -> Path:
    import mlflow

    folder = mlflow.get_run(run_id).info.artifact_uri
    return Path(folder.removeprefix("file://")) / "recipe.json"


def test_the_card_is_the_description_of_a_version_and_is_written_anew_when_it_is_asked_for(life: dict[str, Run]) -> None:
    import mlflow

    described = mlflow.MlflowClient().get_model_version("boilers", "1").description
    assert described.startswith("# boilers, version 1: model card\n\n**Promoted**: first version; loss −")
    (card,) = cards.card(CardOptions(use_case="boilers", version=1))
    assert "**Former champion**" in card.as_text()
    assert f"| {WHY} |" in card.as_text()
    assert [Path(path).name for path in card.files] == ["1-card.html", "1-card.md"]
    assert Path(card.files[1]).read_text(encoding="utf-8") == f"{card.as_text()}\n"


def test_a_rollback_goes_to_the_champion_before_and_is_undone_by_another_one(life: dict[str, Run]) -> None:
    moves = [life[name].state.result() for name in ("back", "forth", "back again")]
    assert [(report.before, report.champion) for report in moves] == [(2, 1), (1, 2), (2, 1)]
    assert moves[0].hold.endswith(f": {WHY}; release it with --release")


def test_after_a_rollback_what_passes_the_gate_is_held_until_a_person_decides(life: dict[str, Run]) -> None:
    held = life["held"].report
    assert (held.decision.code, held.decision.verdict, held.aliases) == ("hold", "kept", ("challenger",))
    assert f"rolled back to version 1: {WHY}" in held.decision.reason
    assert "`python -m flows.promote 3 --use-case boilers --because TEXT`" in held.decision.reason
    approved = life["approved"].state.result()
    assert (approved.before, approved.champion, approved.hold) == (1, 3, "")
    assert approved.note == f"the hold of {home.person()} on version 1 is over: the gate promotes by itself again"
    assert {check.code: check.outcome for check in approved.decision.checks}["loads_and_predicts"] == "passed"


def test_where_a_person_has_the_last_word_a_version_that_passed_waits(life: dict[str, Run]) -> None:
    waits, rejected, again = life["waits"].report, life["rejected"].state.result(), life["waived"].state.result()
    assert (waits.decision.code, waits.aliases) == ("awaiting_approval", ("challenger",))
    assert (rejected.champion, rejected.decision.code) == (3, "rejected")
    assert (again.before, again.champion) == (3, 4)  # whoever names a version that was rejected means it


def test_every_check_is_asked_and_a_refusal_tells_all_that_failed_and_how_to_pass(life: dict[str, Run]) -> None:
    report = life["refused"].state.result()
    outcomes = {check.code: check.outcome for check in report.decision.checks}
    assert outcomes == {
        "gate_rows": "passed",
        "baseline": "passed",
        "not_worse": "passed",
        "anchor": "passed",
        "repeated_looks": "not applicable",
        "floors": "failed",
        "behaviour": "failed",
        "leakage": "passed",
        "slices": "not applicable",
        "worst_slice": "not applicable",
        "calibration": "not applicable",
        "negative_flips": "passed",
        "protected": "not applicable",
        "latency": "passed",
        "size": "passed",
        "refit": "passed",
    }
    floors, behaviour = report.decision.reasons
    assert floors.endswith("(limit: r2 at least 0.999); to pass, bring rows or columns that tell more, or set another floor")
    assert behaviour.startswith("1 of 2 cases hold, but not: cases.csv, case 1 (limit: all of them); to pass, bring rows")
    assert "--waive floors --waive behaviour" in describe(report, "")
    assert report.champion == 3


def test_what_a_person_waives_stands_in_the_ledger_and_in_explain(life: dict[str, Run]) -> None:
    decision = life["waived"].state.result().decision
    assert {check.code for check in decision.checks if check.outcome == "waived"} == {"floors", "behaviour"}
    assert "waived by a person: floors" in decision.reason
    (approved,) = [entry for entry in entries() if (entry.kind, entry.version) == ("approve", 4)]
    assert approved.because == WHY
    assert {check["code"] for check in approved.inputs["checks"] if check["outcome"] == "waived"} == {"floors", "behaviour"}
    (told,) = standing.explain(ExplainOptions(use_case="boilers", version=4))
    assert told.as_json()["waived"] == ["floors", "behaviour"]
    assert "trained     " in told.as_text()
    assert "refused     on " in told.as_text()
    assert "rejected    on " in told.as_text()
    assert "waived      behaviour: 1 of 2 cases hold, but not: cases.csv, case 1 (limit: all of them)" in told.as_text().splitlines()


def test_the_ledger_tells_the_whole_story_in_an_unbroken_chain(life: dict[str, Run]) -> None:
    assert life["released"].state.result().hold == ""
    told = [(entry.kind, entry.version) for entry in entries()]
    began, back, forth = ("train", 0), [("rollback", 1), ("hold", 1)], [("rollback", 2), ("hold", 2)]
    first = [began, ("gate", 1), ("promote", 1), began, ("gate", 2), ("promote", 2), *back, *forth, *back]
    second = [began, ("gate", 3), ("approve", 3), began, ("gate", 4), ("reject", 4), ("refuse", 4), ("approve", 4), *forth, ("release", 2)]
    assert told == [*first, *second]
    trained = next(entry for entry in entries() if entry.kind == "train")
    assert (trained.code, trained.inputs["run_id"]) == ("call", life["first"].report.run_id)
    assert trained.reason == f"a training on 242 rows of {Path.cwd() / 'boilers.csv'} began, with 58 to judge it on"
    refused = next(entry for entry in entries() if entry.kind == "refuse")
    assert (refused.code, refused.because, refused.inputs["verdict"]) == ("floors", WHY, "kept")
    assert broken_link(entries()) is None
    line = ledger.line_of_champions(home.settings().ledger_address, "boilers")
    assert [epoch.version for epoch in line] == [1, 2, 1, 2, 1, 3, 4, 2]
    assert {alias: model_registry.aliases("boilers")[alias] for alias in ("champion", "previous")} == {"champion": 2, "previous": 4}


@pytest.mark.usefixtures("life")
def test_the_champion_names_the_last_row_of_the_ledger() -> None:
    import mlflow

    tags = mlflow.MlflowClient().get_model_version("boilers", "2").tags
    last = entries()[-1]
    assert tags[model_registry.LEDGER_TAG] == f"{last.number}:{last.digest}"


@pytest.mark.usefixtures("life")
def test_status_tells_who_is_champion_and_what_came_last_on_a_few_lines() -> None:
    (told,) = standing.status(StatusOptions(use_case="boilers"))
    lines = told.as_text().splitlines()
    assert lines[0].startswith(f"boilers          version 2 since {told.line[-1].decided_at[:10]}")
    assert "(rollback), mse " in lines[0]
    assert lines[1].strip().startswith("last challenger: version 4, awaiting approval: ")
    document = told.as_json()
    assert (document["champion"]["version"], document["hold"], document["waiting"], document["problems"]) == (2, None, [], [])


@pytest.mark.usefixtures("life")
def test_explain_says_of_any_version_and_moment_why_it_was_champion_from_what_and_judged_how() -> None:
    (told,) = standing.explain(ExplainOptions(use_case="boilers"))
    text = told.as_text()
    assert text.startswith("version 2 of boilers\nchampion    from ")
    assert f"until now, rolled back to ({home.person()}): {WHY}" in text
    assert f"made from   {Path.cwd() / 'boilers.csv'}, snapshot {told.judged.inputs['snapshot'][:12]}, 240 rows fitted, 60 judged" in text
    assert "recipe      ridge for y (regression), seed 0" in text
    assert "gate        gate rows: passed, 60 gate rows" in text
    assert "repeated looks (not applicable), floors (not applicable), behaviour (not applicable)" in text
    assert text.endswith("go back     python -m flows.rollback --use-case boilers --because TEXT")
    first = told.standing.line[0].decided_at
    (then,) = standing.explain(ExplainOptions(use_case="boilers", at=first))
    assert (then.version, then.judged.version, len(then.epochs)) == (1, 1, 3)
    assert json.loads(json.dumps(then.as_json(), allow_nan=False))["evidence"]["rows"] == then.judged.inputs["rows"]
    with pytest.raises(UsageError, match="boilers had no champion at 2020-01-01T00:00:00"):
        list(standing.explain(ExplainOptions(use_case="boilers", at="2020-01-01")))
    with pytest.raises(UsageError, match="'yesterday' is no moment"):
        list(standing.explain(ExplainOptions(use_case="boilers", at="yesterday")))


@pytest.mark.usefixtures("life")
def test_two_versions_are_compared_on_rows_that_neither_was_fitted_on() -> None:
    (sides,) = standing.compare(CompareOptions(use_case="boilers", versions=(1, 2)))
    text, document = sides.as_text(), sides.as_json()
    assert text.startswith(f"boilers: version 2 against version 1, on {len(sides.y)} rows that neither was fitted on\nverdict     ")
    assert sum(sides.flips.values()) == len(sides.y)
    assert sides.data == {"both": 0, "only_one": 242, "only_other": 240}
    assert "rows_fit: 242 → 240" in text
    for name, measured in document["metrics"].items():
        assert measured["difference"]["value"] == pytest.approx(measured["other"] - measured["one"]), name
        assert measured["difference"]["low"] <= measured["difference"]["value"] <= measured["difference"]["high"], name
    page = Path(sides.page).read_text(encoding="utf-8")
    assert "<title>boilers: version 2 against version 1" in page
    (same,) = standing.compare(CompareOptions(use_case="boilers", versions=(2, 2)))
    assert (same.verdict, same.changed, same.flips["both"]) == ("they predict the same", {}, len(same.y))
    with pytest.raises(UsageError, match="use case 'boilers' has no version 9"):
        list(standing.compare(CompareOptions(use_case="boilers", versions=(1, 9))))


@pytest.mark.usefixtures("life")
def test_doctor_finds_an_alias_that_was_moved_by_hand_and_the_next_reader_repairs_it(project: Project) -> None:
    model_registry.set_alias("boilers", "champion", 1)
    with pytest.raises(StoreError, match="1 thing is broken; see above"):
        (told,) = standing.doctor(StatusOptions(use_case="boilers"))
    (told,) = standing.status(StatusOptions(use_case="boilers"))
    moved = "the alias champion points at version 1, and the ledger says version 2; whatever reads the champion next repairs it"
    assert told.problems == (moved,)
    assert f"BROKEN: {moved}" in told.as_text()
    assert project.score(use_case="boilers", data="boilers.csv").state.result().version == 2
    assert [told.problems for told in standing.doctor(StatusOptions(use_case="boilers"))] == [()]


@pytest.mark.usefixtures("life")
@pytest.mark.parametrize(
    ("flow", "options", "message"),
    [
        ("promote", {"use_case": None}, "say which use case is meant, with --use-case NAME"),
        ("promote", {"use_case": "boiler"}, "there is no use case 'boiler'; did you mean 'boilers'?"),
        ("promote", {}, "no version of boilers waits for a person; name one"),
        ("promote", {"version": 2}, "version 2 of boilers is champion already"),
        ("promote", {"version": 9}, "use case 'boilers' has no version 9"),
        ("promote", {"version": 1}, "say why version 1 shall become champion: --because TEXT"),
        ("promote", {"version": 1, "because": WHY, "waive": ["baseline"]}, "baseline cannot be waived: what does not beat the dummy is no"),
        ("promote", {"version": 1, "reject": True}, "say why version 1 is rejected: --because TEXT"),
        ("rollback", {}, "say why version 4 comes back: --because TEXT"),
        ("rollback", {"version": 9, "because": WHY}, "version 9 of boilers never passed the gate"),
        ("rollback", {"release": True}, "no hold is on boilers: the gate promotes what passes"),
    ],
)
def test_what_a_person_can_mistake_is_told_and_changes_nothing(
    project: Project, flow: str, options: dict[str, object], message: str
) -> None:
    before = entries()
    with pytest.raises(UsageError) as refused:
        project.decide(flow, **{"use_case": "boilers", **options}).state.result()
    assert refused.value.message.startswith(message)
    assert entries() == before


@pytest.mark.usefixtures("life")
def test_nobody_goes_back_to_files_that_were_swapped_or_are_gone(project: Project) -> None:
    before = entries()
    manifest = ledger.line_of_champions(home.settings().ledger_address, "boilers")[0].manifest
    files = home.settings().home.rglob("model.skops")
    model = next(path for path in files if hashlib.sha256(path.read_bytes()).hexdigest() == manifest["model.skops"])
    content = model.read_bytes()
    for damaged, error in (
        (content[:-1] + bytes([content[-1] ^ 1]), UnsafeModelError),
        (content[:99], UnsafeModelError),
        (None, StoreError),
    ):
        model.unlink() if damaged is None else model.write_bytes(damaged)
        with pytest.raises(error, match=r"version 1 of boilers|models:/boilers/1"):
            decide(project, "rollback", version=1, because=WHY).state.result()
    model.write_bytes(content)
    assert entries() == before
    assert model_registry.aliases("boilers")["champion"] == 2


@pytest.mark.usefixtures("life")
def test_a_version_that_was_judged_too_long_ago_is_not_approved_and_a_rewritten_past_shows(project: Project) -> None:
    long_ago = (datetime.now(UTC) - timedelta(days=31)).isoformat(timespec="seconds")
    with closing(sqlite3.connect(home.settings().home / "ledger.db")) as database:
        database.execute("UPDATE decision SET decided_at = ? WHERE use_case = 'boilers' AND version = 4 AND kind = 'gate'", (long_ago,))
        database.commit()
    with pytest.raises(UsageError) as refused:
        decide(project, "promote", version=4, because=WHY).state.result()
    assert refused.value.message == (
        "version 4 of boilers was judged 31 days ago, and gate.approval_days is 30; train again, so that newer rows judge"
    )
    broken = broken_link(entries())
    assert broken is not None
    assert (broken.kind, broken.version) == ("gate", 4)
    (told,) = standing.status(StatusOptions(use_case="boilers"))
    assert told.problems == ("row 17 of the ledger was changed, or rows before it are gone; restore the ledger from a backup",)


@pytest.mark.usefixtures("life")
def test_a_ledger_that_was_cut_off_is_noticed_by_whoever_reads_the_champion(project: Project) -> None:
    with closing(sqlite3.connect(home.settings().home / "ledger.db")) as database:
        (last,) = database.execute("SELECT * FROM decision WHERE use_case = 'boilers' AND number = 23").fetchall()
        database.execute("DELETE FROM decision WHERE use_case = 'boilers' AND number = 23")  # the release, which made nobody champion
        database.commit()
        with pytest.raises(StoreError, match="the ledger of boilers was changed or cut off: version 2 names row 23 of it"):
            project.score(use_case="boilers", data="boilers.csv").state.result()
        (told,) = standing.explain(ExplainOptions(use_case="boilers"))
        assert "BROKEN      the ledger of boilers was changed or cut off" in told.as_text()
        database.execute(f"INSERT INTO decision VALUES ({', '.join('?' * len(last))})", last)
        database.commit()
        kept = database.execute("SELECT * FROM decision WHERE use_case = 'boilers' AND number > 5").fetchall()
        database.execute("DELETE FROM decision WHERE use_case = 'boilers' AND number > 5")
        database.commit()
        for outcome in (train(project, 9), project.score(use_case="boilers", data="boilers.csv")):
            with pytest.raises(StoreError, match="the ledger of boilers was changed or cut off: version 2 names row 23 of it"):
                outcome.state.result()
        database.executemany(f"INSERT INTO decision VALUES ({', '.join('?' * len(kept[0]))})", kept)
        database.commit()
    assert project.score(use_case="boilers", data="boilers.csv").state.result().version == 2
