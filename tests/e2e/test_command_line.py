"""The command line as people and scripts use it: exit codes, the one JSON document, mistakes told in a sentence."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.receivers import web_hook

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Clerk, Desk

ENGINES = {"sklearn", "mlflow", "prefect", "great_expectations", "skops"}
VERBS = {"numpy", "deltalake", "tasks.adapters.lake", "tasks.adapters.sources", "tasks.core.reading.reader", "tasks.questions"}
MAX_LINES = 20
FLOWS = ("train", "ingest", "score", "promote", "rollback", "reproduce", "monitor", "backtest", "alarm", "maintain")
JOBS = (*FLOWS, "status", "explain", "card", "compare", "doctor", "preview", "init", "deployments", "up", "down", "demo")
PROGRESS = re.compile(r" *\d+\.\d s  ")

random = np.random.default_rng(0)
CLEAN = "size,rooms,price\n" + "".join(
    f"{size:.3f},{rooms},{3 * size + rooms:.3f}\n" for size, rooms in random.normal(size=(60, 2)).round(3)
)
# As in a folder that a person has worked in for a while.
FILES = {
    "houses.csv": CLEAN,
    "empty.csv": "",
    "only-a-header.csv": "size,price\n",
    "headerless.csv": CLEAN.partition("\n")[2],
    "page.csv": "<!doctype html>\n<html><body>Not found</body></html>\n",
    "ragged.csv": CLEAN + "1,2,3,4\n",
    "binary.csv": b"size,price\n\xff\xfe,1\n",
    "torn.parquet": b"PAR1\x15 this is none PAR1",
    "notes.txt": "size 3\n",
    "constant.csv": "size,price\n" + "".join(f"{n},1\n" for n in range(50)),
    "folder/other.csv": CLEAN,
    "deployments/use_cases/houses-2.yaml": "data: houses.csv\ntarget: price\n",
    "deployments/use_cases/broken.yaml": "data: [houses.csv\n",
    "deployments/use_cases/typo.yaml": "data: houses.csv\ntargt: price\n",
    "deployments/use_cases/gone.yaml": "data: gone.csv\n",
    "deployments/use_cases/lax.yaml": "data: houses.csv\ngate: {tolerance: 5}\n",
    "deployments/use_cases/lost.yaml": "data: houses.csv\ncandidates: [rigde]\n",
    "deployments/use_cases/no-json.yaml": "data: houses.csv\n",
    "expectations/no-json.json": '{"name": "no-json", ',
    "deployments/use_cases/no-type.yaml": "data: houses.csv\n",
    "expectations/no-type.json": '{"name": "no-type", "expectations": [{"type": "expect_miracles", "kwargs": {}}]}',
    "deployments/use_cases/strict.yaml": "data: houses.csv\n",
    "expectations/strict.json": json.dumps(
        {
            "name": "strict",
            "expectations": [
                {"type": "expect_column_values_to_be_between", "kwargs": {"column": "size", "min_value": 100}, "severity": "critical"}
            ],
        }
    ),
}
# arguments, variables, exit code, code of the error, and what the sentence must hold
Mistake = tuple[list[str], dict[str, str], int, str, str]
CHEAP: dict[str, Mistake] = {
    "a file that is not there": (["huoses.csv"], {}, 2, "usage", "there is no file 'huoses.csv'; did you mean 'houses.csv'?"),
    "a folder that is not there": (["data/houses.csv"], {}, 2, "usage", "there is no file 'data/houses.csv', and no folder 'data'"),
    "a name that no file can have": (["x" * 300 + ".csv"], {}, 2, "usage", "name"),
    "an empty name": ([""], {}, 2, "usage", "the name of the table is empty"),
    "a bundled table": (["sklearn:wnie"], {}, 2, "usage", "there is no bundled table 'wnie'; did you mean 'wine'?"),
    "a use case": (["--use-case", "wien"], {}, 2, "usage", "there is no use case 'wien'; did you mean 'wine'?"),
    "a use case outside the project": (["--use-case", "../houses"], {}, 2, "usage", "there is no use case '../houses'"),
    "an option": (["--taget", "price"], {}, 2, "usage", "did you mean --target?"),
    "an option without its value": (["houses.csv", "--target"], {}, 2, "usage", "expected one argument"),
    "one table too many": (["houses.csv", "folder/other.csv"], {}, 2, "usage", "'folder/other.csv' is no argument"),
    "a task": (["houses.csv", "--task", "regresion"], {}, 2, "usage", "did you mean 'regression'?"),
    "a use case that is not YAML": (["--use-case", "broken"], {}, 2, "usage", "broken.yaml is not YAML: line 2"),
    "a key of a use case": (["--use-case", "typo"], {}, 2, "usage", "called 'targt'; did you mean 'target'?"),
    "a value of a use case": (["--use-case", "lax"], {}, 2, "usage", "'gate.tolerance' is 5: input should be less than or equal to 0.5"),
    "the table of a use case": (["--use-case", "gone"], {}, 2, "usage", "gone.csv'"),
    "a setting": (
        ["houses.csv"],
        {"EVERGREEN_HOM": "state"},
        2,
        "usage",
        "did you mean 'EVERGREEN_HOME'?",
    ),
    "a value of a setting": (["houses.csv"], {"EVERGREEN_RECORD": "perhaps"}, 2, "usage", "EVERGREEN_RECORD is 'perhaps'"),
    "the project": (["houses.csv"], {"EVERGREEN_PROJECT": "nowhere"}, 2, "usage", "nowhere', which is no folder"),
    "a home that is a file": (
        ["houses.csv"],
        {"EVERGREEN_HOME": "notes.txt"},
        1,
        "store",
        "set EVERGREEN_HOME to a folder",
    ),
    "a home below a file": (["houses.csv"], {"EVERGREEN_HOME": "notes.txt/home"}, 1, "store", "cannot write to the home"),
}
# These are found only when the engines are there, whose import costs seconds.
DEAR: dict[str, Mistake] = {
    "an empty file": (["empty.csv"], {}, 3, "data_refused", "empty.csv is empty"),
    "a header without rows": (["only-a-header.csv"], {}, 3, "data_refused", "only-a-header.csv, line 1: is this row the header"),
    "a web page": (["page.csv"], {}, 3, "data_refused", "page.csv is an HTML page, not a table"),
    "text without a table": (["notes.txt"], {}, 3, "data_refused", "notes.txt, line 1: is this row the header"),
    "an encoding that does not fit": (
        ["binary.csv", "--read", "encoding=utf-8"],
        {},
        3,
        "data_refused",
        "binary.csv, line 2: byte 0xff is not",
    ),
    "a file that is no Parquet": (["torn.parquet"], {}, 3, "data_refused", "torn.parquet"),
    "a key of reading": (["houses.csv", "--read", "heade=no"], {}, 2, "usage", "'heade'; did you mean 'header'?"),
    "a value of reading": (["houses.csv", "--read", "header=perhaps"], {}, 2, "usage", "--read header is 'perhaps'"),
    "a target that never changes": (["constant.csv"], {}, 3, "data_refused", "target column 'price' is '1.0' in all rows"),
    "rows that the suite refuses": (["--use-case", "strict"], {}, 3, "data_refused", "houses.csv is refused by strict.json: 'size'"),
    "a column": (["houses.csv", "--target", "prize"], {}, 2, "usage", "there is no column 'prize'; did you mean 'price'?"),
    "a candidate": (["--use-case", "lost"], {}, 2, "usage", "there is no regression candidate 'rigde'; did you mean 'ridge'?"),
    "a suite that is not JSON": (["--use-case", "no-json"], {}, 2, "usage", "no-json.json is not a Great Expectations suite"),
    "an expectation that does not exist": (["--use-case", "no-type"], {}, 2, "usage", "expect_miracles"),
    "an address of the ledger": (["houses.csv"], {"EVERGREEN_LEDGER_URL": "nonsense"}, 1, "store", "check EVERGREEN_LEDGER_URL"),
    "an address of MLflow": (["houses.csv"], {"EVERGREEN_TRACKING_URI": "nonsense"}, 1, "store", "MLflow"),
}


@pytest.fixture(scope="module")
def busy(module_desk: Desk) -> Desk:
    """Fill a folder as people do, with a home that has its stores."""
    for name, content in FILES.items():
        path = module_desk.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return module_desk


def refusal(done: subprocess.CompletedProcess[str], exit_code: int, code: str, told: str) -> str:
    """Check how a failure under `--json` reads; give its sentence."""
    assert done.returncode == exit_code, done.stderr
    document = json.loads(done.stdout)
    assert list(document) == ["error"]
    assert list(document["error"]) == ["code", "message", "where"]
    assert document["error"]["code"] == code
    message = document["error"]["message"]
    assert told in message
    assert "\n" not in message
    assert "this should not have happened" not in message
    assert "Traceback" not in done.stderr
    assert [line for line in done.stderr.splitlines() if not PROGRESS.match(line)] == [f"{code.replace('_', ' ')}: {message}"]
    return message


def loaded_by(done: subprocess.CompletedProcess[str]) -> set[str]:
    """Give the modules that a process started with `-X importtime` says that it loaded."""
    return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}


@pytest.mark.parametrize("mistake", CHEAP)
def test_a_mistyped_call_is_refused_in_one_sentence_before_any_engine_is_imported(busy: Desk, mistake: str) -> None:
    arguments, variables, exit_code, code, told = CHEAP[mistake]
    refusal(busy.train("--json", *arguments, **variables), exit_code, code, told)
    assert not ENGINES & loaded_by(busy.run("-X", "importtime", "-m", "flows.train", *arguments, **variables))


@pytest.mark.parametrize("mistake", DEAR)
def test_what_only_the_engines_can_find_is_refused_in_one_sentence(busy: Desk, clerk_at: Callable[[Desk], Clerk], mistake: str) -> None:
    arguments, variables, exit_code, code, told = DEAR[mistake]
    refusal(clerk_at(busy).run("train", "--json", *arguments, **variables), exit_code, code, told)


def test_refused_data_leave_the_process_with_exit_code_three(busy: Desk) -> None:
    refusal(busy.train("--json", "--no-record", "page.csv"), 3, "data_refused", "page.csv is an HTML page")


def test_a_row_that_does_not_fit_is_set_aside_and_told(busy: Desk) -> None:
    done = busy.train("--json", "--no-record", "--trials", "1", "ragged.csv")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["rows"]["read"] == 61
    assert document["rows"]["quarantined"] == 1
    assert document["reading"]["verdict"] == "repaired"
    assert document["reading"]["quarantined"] == [{"line": 62, "text": "1,2,3,4", "reason": "4 cells where the table has 3"}]


def test_a_preview_tells_what_would_be_made_of_each_file_and_writes_the_kept_rows(busy: Desk) -> None:
    done = busy.run("-m", "flows", "preview", "--json", "--as-text", "--out", "kept", "houses.csv", "ragged.csv", "page.csv", "nowhere.csv")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(line["path"], line["verdict"]) for line in lines] == [
        ("houses.csv", "exact"),
        ("ragged.csv", "repaired"),
        ("page.csv", "refused"),
        ("nowhere.csv", "refused"),
    ]
    assert lines[0]["rows"] == {"read": 60, "kept": 60, "quarantined": 0}
    assert lines[0]["task"] == "regression"
    assert lines[3]["message"].startswith("there is no file 'nowhere.csv'")
    kept = [(busy.folder / line["out"]).read_text(encoding="utf-8") for line in lines[:2]]
    assert kept == [CLEAN, CLEAN]
    screen = busy.run("-m", "flows", "preview", "houses.csv").stdout
    assert screen.startswith("houses.csv · exact\n  format    csv, utf-8, commas, with header\n")


def test_a_store_that_cannot_be_used_leaves_the_process_with_exit_code_one(busy: Desk) -> None:
    done = busy.train("--no-record", "houses.csv", EVERGREEN_LEDGER_URL="nonsense")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].startswith("store: the ledger cannot be used: ")


def test_an_answer_that_cannot_be_written_is_one_sentence(desk: Desk) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    command = shlex.join([desk.python, "-m", "flows", "preview", "sklearn:wine", "--json"])
    done = subprocess.run(f"{command} > {full}", shell=True, cwd=desk.folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "store: standard output cannot be written: No space left on device\n")


@pytest.mark.parametrize("job", ["promote", "rollback"])
def test_before_anything_was_trained_there_is_nobody_to_promote_or_to_go_back_to(desk: Desk, job: str) -> None:
    told = "there is no use case 'houses' (none is available)"
    refusal(desk.run("-m", f"flows.{job}", "--use-case", "houses", "--json", "--no-record"), 2, "usage", told)
    assert not (desk.home / "ledger.db").exists()


def test_whoever_has_read_enough_of_an_answer_ends_it_without_a_word(desk: Desk) -> None:
    command = shlex.join([desk.python, "-m", "flows", "preview", "sklearn:wine"])
    script = f"{command} | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], cwd=desk.folder, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("141\n", "")


def test_without_json_a_refusal_leaves_standard_output_empty(busy: Desk) -> None:
    done = busy.train("huoses.csv")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "usage: there is no file 'huoses.csv'; did you mean 'houses.csv'?\n"


@pytest.mark.parametrize("content", [b"EVERGREEN_HOME=\xff\xfe\n", b"EVERGREEN_HOM=state\n", b"EVERGREEN_HOME: state\n"])
def test_a_broken_env_file_is_refused_in_one_sentence(desk: Desk, content: bytes) -> None:
    (desk.folder / ".env").write_bytes(content)
    refusal(desk.train("--json"), 2, "usage", "")
    assert sorted(path.name for path in desk.folder.iterdir()) == [".env"]


def test_settings_of_the_env_file_hold_and_those_of_the_environment_come_before_them(desk: Desk) -> None:
    (desk.folder / ".env").write_text("EVERGREEN_HOME=from-file\nEVERGREEN_PROJECT=nowhere\n", encoding="utf-8")
    refusal(desk.train("--json"), 2, "usage", f"EVERGREEN_PROJECT is '{desk.folder / 'nowhere'}'")
    (desk.folder / "nowhere").mkdir()
    refusal(desk.train("--json", "--use-case", "x", EVERGREEN_HOME="y"), 2, "usage", "there is no use case 'x'")


def test_an_alarm_is_told_from_the_command_line_and_a_wrong_call_is_one_sentence_without_secrets(desk: Desk) -> None:
    def alarm(*arguments: str, to: str) -> subprocess.CompletedProcess[str]:
        return desk.run("-m", "flows.alarm", *arguments, "--json", "--no-record", EVERGREEN_ALARMS=to)

    with web_hook() as hook:
        to = f"ops=json://127.0.0.1:{hook.port}/S3CRET"
        done = alarm("The night run crashed.", "--code", "crashed", "--use-case", "houses-2", to=to)
        assert json.loads(done.stdout) == {
            "use_case": "houses-2", "code": "crashed", "told": ["ops"], "failed": [], "silenced": False, "over": False,
        }  # fmt: skip
        assert json.loads(alarm("--over", "--code", "crashed", "--use-case", "houses-2", to=to).stdout)["told"] == ["ops"]
    assert [message["title"] for message in hook.hooks] == ["houses-2 · The night run crashed.", "houses-2 · over: The night run crashed."]
    refused = alarm("It broke.", to="ops=slack://S3CRET")
    refusal(refused, 2, "usage", "the address of channel ops is not one that Apprise reads as slack://")
    refusal(alarm(to=""), 2, "usage", "say what is the matter, with --text TEXT")
    refusal(alarm("x", "--code", "a b", to=""), 2, "usage", "--code is 'a b': it may hold letters, digits, '.', '_' and '-' alone")
    assert "S3CRET" not in done.stderr + refused.stderr + refused.stdout


@pytest.mark.parametrize("job", JOBS)
def test_help_names_every_option_with_its_choices_and_loads_nothing_that_runs(desk: Desk, job: str) -> None:
    is_flow = job in FLOWS
    done = desk.run("-X", "importtime", "-m", *([f"flows.{job}"] if is_flow else ["flows", job]), "--help")
    assert done.returncode == 0
    assert not (ENGINES | VERBS) & loaded_by(done)
    assert done.stdout.startswith(f"usage: python -m flows.{job} " if is_flow else "usage: ")
    assert ("one of regression, binary, multiclass" in " ".join(done.stdout.split())) is (job in ("train", "ingest", "backtest", "init"))


def test_the_package_lists_its_jobs_and_answers_for_them(desk: Desk) -> None:
    listed = desk.run("-m", "flows")
    assert (listed.returncode, listed.stderr) == (0, "")
    assert [line.split()[0] for line in listed.stdout.splitlines()[2:]] == list(JOBS)
    refusal(desk.run("-m", "flows", "tarin", "--json"), 2, "usage", "there is no job 'tarin'; did you mean 'train'?")
    refusal(desk.run("-m", "flows", "train", "--json", "nowhere.csv"), 2, "usage", "there is no file 'nowhere.csv'")
    refusal(desk.run("-m", "flows", "deployments", "--json"), 2, "usage", "prefect.yaml")


def test_the_console_script_is_the_same(desk: Desk) -> None:
    script = Path(sys.executable).with_name("evergreen")
    done = subprocess.run([script], cwd=desk.folder, env=desk.environment(), capture_output=True, text=True, check=True)
    assert done.stdout == desk.run("-m", "flows").stdout
    wrong = subprocess.run(
        [script, "train", "--use-case", "wien"], cwd=desk.folder, env=desk.environment(), capture_output=True, text=True, check=False
    )
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "did you mean 'wine'?" in wrong.stderr


def test_a_first_run_tells_in_twenty_lines_what_it_did_and_touches_nothing_but_its_home(desk: Desk) -> None:
    done = desk.train("--no-record")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) <= MAX_LINES
    assert lines[0] == "diabetes · regression of 'target' from 10 columns"
    assert {line.split()[0] for line in lines if line[0].isalpha()} >= {
        "rows",
        "suite",
        "candidates",
        "metrics",
        "decision",
        "version",
        "report",
        "mlflow",
    }
    (report,) = [desk.folder / line.split(maxsplit=1)[1] for line in lines if line.startswith("report")]
    assert report.is_relative_to(desk.home)
    assert report.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert all(PROGRESS.match(line) for line in done.stderr.splitlines()), done.stderr
    assert [path.name for path in desk.folder.iterdir()] == [".evergreen"]


def test_a_server_that_is_dead_costs_one_warning_and_the_run_is_recorded_at_home(desk: Desk) -> None:
    table = desk.folder / "houses.csv"
    table.write_text(CLEAN, encoding="utf-8")
    done = desk.train("--json", "houses.csv", "--target", "price", "--trials", "1", PREFECT_API_URL="http://127.0.0.1:9/api")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert done.stdout.count("\n") == 1
    assert document["use_case"] == "houses"
    told = [line for line in done.stderr.splitlines() if "http://127.0.0.1:9/api" in line]
    assert len(told) == 1
    assert told[0].endswith("does not answer; recording on a server of this home instead")
    assert all(PROGRESS.match(line) for line in done.stderr.splitlines()), done.stderr
    assert (desk.home / "prefect" / "prefect.db").is_file()
    assert sorted(path.name for path in desk.folder.iterdir()) == [".evergreen", "houses.csv"]
    refused = desk.train("--json", "houses.csv", "--target", "prize")
    refusal(refused, 2, "usage", "there is no column 'prize'; did you mean 'price'?")


def test_a_run_that_is_not_recorded_never_imports_prefect(desk: Desk) -> None:
    (desk.folder / "houses.csv").write_text(CLEAN, encoding="utf-8")
    program = """
import atexit, sys
from flows import _entry
atexit.register(lambda: print(*sorted(name for name in sys.modules if name.split(".")[0] == "prefect"), file=sys.stderr))
_entry.main("train", ["houses.csv", "--trials", "1", "--no-record", "--json"])
"""
    done = desk.run("-c", program)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == ""
    assert list(json.loads(done.stdout)) == [
        "use_case",
        "run_id",
        "version",
        "aliases",
        "task",
        "target",
        "inferred",
        "reading",
        "complete",
        "warnings",
        "rows",
        "snapshot",
        "metrics",
        "baseline",
        "learning_curve",
        "leaderboard",
        "calibration",
        "threshold",
        "decision",
        "links",
        "seconds",
    ]


def test_an_interrupted_run_leaves_with_its_own_exit_code_and_no_stack_trace(desk: Desk) -> None:
    (desk.folder / "houses.csv").write_text(CLEAN, encoding="utf-8")
    # Whoever is started in the background of a shell ignores this signal, and hands that on to what it starts.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = desk.start("-m", "flows.train", "houses.csv", "--no-record")
    signal.signal(signal.SIGINT, before)
    assert process.stderr is not None
    assert any("opening the stores" in line for line in process.stderr)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (130, "")
    assert "Traceback" not in errors
    assert errors.splitlines()[-1] == "interrupted; the next run closes what this one left open"


def test_an_interrupted_exec_leaves_with_that_exit_code_too(desk: Desk) -> None:
    code = "from flows._entry import _outermost_door\nwith _outermost_door(as_json=False): exec('raise KeyboardInterrupt')"
    (desk.folder / "job.py").write_text(code, encoding="utf-8")
    process = desk.start("-m", "job")
    process.communicate(timeout=60)
    assert process.returncode == 130


def test_a_native_library_that_aborts_when_it_is_unloaded_does_not_change_the_exit_code(desk: Desk) -> None:
    program = """
import atexit, ctypes
from flows._entry import _outermost_door
native = ctypes.CDLL(None)
native.__cxa_atexit(native.abort, None, None)
atexit.register(print, "what Python's own handlers do is done")
with _outermost_door(as_json=False):
    raise SystemExit(3)
"""
    done = desk.run("-c", program)
    assert (done.returncode, done.stdout, done.stderr) == (3, "what Python's own handlers do is done\n", "")
