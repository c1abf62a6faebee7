from __future__ import annotations

from dataclasses import replace

from tasks.core.champions import Epoch
from tasks.core.decisions import Entry, after
from tasks.core.standing import Explanation, Standing, Waiting, chain_problems, refused_after, reigns

WHEN = "2024-03-03T14:00:00+00:00"
LINE = [Epoch("wine", number, version, "run", "better", "", WHEN, {}) for number, version in enumerate((1, 2, 1), 1)]


def chain(*crowned: int) -> list[Entry]:
    entries: list[Entry] = []
    for version in crowned:
        entries.append(Entry("wine", "promote", version, "better", "", "eva@lab", WHEN).after(entries[-1] if entries else None))
    return entries


def test_champions_are_those_that_decisions_made_but_for_those_of_older_homes() -> None:
    for decisions in ((1, 2, 1), (2, 1), (1,), ()):
        assert chain_problems(chain(*decisions), LINE) == []


def test_a_champion_that_no_decision_made_shows() -> None:
    told = "version 3 is champion, and no decision made it one; restore the ledger from a backup"
    assert chain_problems(chain(1, 2, 1), [*LINE, replace(LINE[0], epoch=4, version=3)]) == [told]


def reigning(*moments: str) -> tuple[list[Epoch], list[Entry]]:
    """Let version 1 reign first and last, for reasons of their own."""
    reasons, entries, line = ("first version", "better", "the plant was rebuilt"), [], []
    for number, (moment, version, reason) in enumerate(zip(moments, (1, 2, 1), reasons, strict=True), 1):
        kind = "rollback" if number == 3 else "promote"
        entry = Entry("wine", kind, version, "better", reason, "eva@lab", moment)
        entries.append(entry.after(entries[-1] if entries else None))
        line.append(Epoch("wine", number, version, "run", "better", reason, moment, {}))
    return line, entries


def test_a_moment_is_explained_by_the_reign_that_it_is_in_and_by_the_second() -> None:
    moments = [f"2024-03-03T14:00:{second}+00:00" for second in ("05", "20", "40")]
    line, entries = reigning(*moments)
    told = Explanation(Standing("wine", tuple(line), tuple(entries)), 1, reigns(line, 1), None)
    assert told.made.reason == "the plant was rebuilt"
    then = replace(told, at="2024-03-03T14:00:10+00:00")
    assert then.made.reason == "first version"
    succession = then.as_text().splitlines()
    assert succession[1].startswith("champion    at 2024-03-03 14:00:10: from 2024-03-03 14:00:05 until 2024-03-03 14:00:20, promoted by")
    assert succession[2] == "also        from 2024-03-03 14:00:40 until now"
    assert "go back" not in then.as_text()
    assert told.as_json()["hold"]["reason"] == "the plant was rebuilt"
    assert then.as_json()["hold"] is None


def test_rejections_and_refusals_by_gate_and_by_persons_are_told_of_the_version_and_of_the_champion_that_it_met() -> None:
    line, entries = reigning(*(f"2024-03-03T14:00:{second}+00:00" for second in ("05", "20", "40")))
    more = [("gate", 3, "hold"), ("refuse", 3, "floors"), ("reject", 3, "rejected"), ("gate", 4, "baseline"), ("gate", 2, "better")]
    drafts = [
        Entry("wine", kind, version, code, f"because of {code}", "eva@lab", "2024-03-03T14:00:50+00:00") for kind, version, code in more
    ]
    entries += after(drafts, entries[-1])
    standing = Standing("wine", tuple(line), tuple(entries))
    champion = Explanation(standing, 1, reigns(line, 1), None, later=refused_after(entries, line, 1))
    assert [
        told.split(" on ")[0].split() for told in champion.as_text().splitlines() if told.startswith(("refused", "reject", "held"))
    ] == [
        ["held", "back", "version", "3"],
        ["refused", "version", "3"],
        ["rejected", "version", "3"],
        ["refused", "version", "4"],
    ]
    own = Explanation(standing, 3, (), None)
    assert "refused     on 2024-03-03 14:00:50: because of floors\nrejected    on 2024-03-03 14:00:50: because of rejected" in own.as_text()
    assert [told["kind"] for told in own.as_json()["refused"]] == ["refuse", "reject"]


def test_the_champion_comes_with_the_story_of_its_use_case() -> None:
    line, entries = reigning(*(f"2024-03-03T1{hour}:00:00+00:00" for hour in (4, 5, 8)))
    moments = ((4, "gate", 4, "hold"), (6, "monitor", 2, "keep"), (6, "monitor", 2, "data_broken"), (7, "monitor", 2, "data_broken"))
    drafts = [
        Entry("wine", kind, version, code, code, "eva@lab", f"2024-03-03T1{hour}:00:01+00:00") for hour, kind, version, code in moments
    ]
    told = sorted([*entries, *drafts], key=lambda entry: entry.decided_at)
    champion = Explanation(Standing("wine", tuple(line), tuple(told)), 1, reigns(line, 1), None)
    _, _, story = champion.as_text().partition("history ")
    assert [line.strip() for line in story.partition("\ngo back")[0].splitlines()] == [
        "2024-03-03 14:00  version 1 is promoted: first version",
        "2024-03-03 14:00  version 4 is held back: hold",
        "2024-03-03 15:00  version 2 is promoted: better",
        "2024-03-03 16:00  a look blocks: data_broken",
        "2024-03-03 18:00  back to version 1: the plant was rebuilt",
    ]
    assert [event["kind"] for event in champion.as_json()["history"]] == ["promote", "gate", "promote", "monitor", "rollback"]


def test_who_waits_is_told_with_the_day_and_the_whole_command() -> None:
    standing = Standing("wine", waiting=(Waiting(3, "2024-04-02"), Waiting(2, "2024-03-02", is_over=True)))
    told = standing.as_text()
    assert "version 3 waits until 2024-04-02: python -m flows.promote 3 --use-case wine --because TEXT" in told
    assert "version 2 waited until 2024-03-02, and its rows say little of today: python -m flows.train --use-case wine" in told
    assert standing.as_json()["waiting"] == [3]


def test_champions_that_were_exchanged_or_are_gone_show() -> None:
    told = "the champions of the ledger are not those that its decisions made; restore the ledger from a backup"
    for line in (LINE[:2], [LINE[0], LINE[0], LINE[2]], []):
        assert chain_problems(chain(1, 2, 1), line) == [told]
