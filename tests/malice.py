"""Model files that nobody should load, really made: each would touch a canary, fill the memory, or predict something else.

A kind is a function of the good file and of the canary's path; what it gives stands where a good `model.skops` stood.
"""

from __future__ import annotations

import functools
import io
import json
import operator
import os
import pickle
import stat
import warnings
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cloudpickle
import joblib
import numpy as np
import skops.io
import yaml
from sklearn.dummy import DummyRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BOMB_BYTES = 2**31
TOUCH = "import pathlib; pathlib.Path({!r}).touch()"
TRUSTED = ["posix.system", "functools.partial"]


@dataclass(frozen=True)
class Trap:
    """Touches a file as soon as it is unpickled."""

    canary: Path

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return exec, (TOUCH.format(str(self.canary)),)


def pickled(_: bytes, canary: Path) -> bytes:
    return pickle.dumps(Trap(canary))


def cloudpickled(_: bytes, canary: Path) -> bytes:
    return cloudpickle.dumps(Trap(canary))


def joblib_dumped(_: bytes, canary: Path) -> bytes:
    content = io.BytesIO()
    joblib.dump(Trap(canary), content, compress=3)
    return content.getvalue()


def with_a_shell_command(_: bytes, canary: Path) -> bytes:
    return _dumped(functools.partial(os.system, f"touch {canary}"))


def with_evaluated_text(_: bytes, canary: Path) -> bytes:
    return _dumped(functools.partial(eval, TOUCH.format(str(canary))))


def with_a_neighbour_of_a_trusted_function(_: bytes, canary: Path) -> bytes:
    np.save(canary.with_suffix(".npy"), np.array([Trap(canary)], dtype=object), allow_pickle=True)
    return _dumped(functools.partial(np.load, str(canary.with_suffix(".npy")), allow_pickle=True))


def with_a_method_by_name(_: bytes, canary: Path) -> bytes:
    return _dumped(operator.methodcaller("fit", str(canary)))


def with_a_method_of_a_trusted_type(_: bytes, canary: Path) -> bytes:
    """Bind a method that writes to a file to an array, which every model may hold."""
    schema, entries = _opened(_dumped(np.dtype(f"V{len(str(canary))}")))
    (place,) = (node for node in _nodes(schema) if node["__loader__"] == "DTypeNode")
    held = dict(place)
    place.clear()
    place.update(__class__="dtype", __module__="numpy", __loader__="MethodNode", content={"func": "__reduce__", "obj": held})
    return _zipped(schema, entries)


def with_a_constructor_that_is_called(_: bytes, canary: Path) -> bytes:
    schema, entries = _opened(_dumped(str(canary)))
    (place,) = (node for node in _nodes(schema) if node.get("content") == json.dumps(str(canary)))
    arguments = [dict(place), {**place, "content": '"w"', "__id__": -1}]
    called = {"__class__": "tuple", "__module__": "builtins", "__loader__": "TupleNode", "content": arguments}
    place.clear()
    place.update(__class__="open", __module__="builtins", __loader__="ConstructorFromReduceNode", content=called)
    return _zipped(schema, entries)


def with_an_entry_that_climbs_out(good: bytes, canary: Path) -> bytes:
    return _with_entry(good, f"../../../../../../..{canary}")


def with_an_absolute_entry(good: bytes, canary: Path) -> bytes:
    return _with_entry(good, str(canary))


def with_an_entry_that_is_a_link(good: bytes, canary: Path) -> bytes:
    link = zipfile.ZipInfo("12345.npy")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    return _with_entry(good, link, str(canary))


def with_an_entry_twice(good: bytes, _: Path) -> bytes:
    return _with_entry(good, "schema.json", json.dumps(_opened(good)[0]))


def that_unpacks_beyond_measure(_: bytes, __: Path) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("schema.json", "w") as entry:
        for _n in range(64):
            entry.write(b" " * 2**20)
    honest = content.getvalue()
    at = honest.index(b"PK\x01\x02") + 24  # where the table of contents says how large the entry will be
    return honest[:at] + BOMB_BYTES.to_bytes(4, "little") + honest[at + 4 :]


def that_is_another_valid_model(_: bytes, __: Path) -> bytes:
    return skops.io.dumps(Pipeline([("model", DummyRegressor(strategy="constant", constant=0.0).fit([[0, 0]], [0]))]))


def that_is_no_pipeline(_: bytes, __: Path) -> bytes:
    return skops.io.dumps({"predict": 1})


def that_is_truncated(good: bytes, _: Path) -> bytes:
    return good[: len(good) // 2]


def with_a_flipped_bit(good: bytes, _: Path) -> bytes:
    at = good.index(b"PK\x03\x04", 4) - 1  # the last byte of the first array
    return good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :]


# Why each is not loaded even if its digest is the registered one; empty where only the digest tells it from a good one.
KINDS: dict[Callable[[bytes, Path], bytes], str] = {
    pickled: "it is no skops file",
    cloudpickled: "it is no skops file",
    joblib_dumped: "it is no skops file",
    with_a_shell_command: "it stores types that no candidate has: posix.system",
    with_evaluated_text: "it stores types that no candidate has: builtins.eval",
    with_a_neighbour_of_a_trusted_function: "it stores types that no candidate has: numpy.load",
    with_a_method_by_name: "it stores types that no candidate has: operator.methodcaller",
    with_a_method_of_a_trusted_type: "it stores types that no candidate has: numpy.dtype.__reduce__",
    with_a_constructor_that_is_called: "it stores types that no candidate has: builtins.open",
    with_an_entry_that_climbs_out: "is no name of its own",
    with_an_absolute_entry: "is no name of its own",
    with_an_entry_that_is_a_link: "'12345.npy' is a link",
    with_an_entry_twice: "'schema.json' is there twice",
    that_unpacks_beyond_measure: "'schema.json' is compressed, to be 2,147,483,648 bytes",
    that_is_no_pipeline: "it holds no pipeline but 'dict'",
    that_is_truncated: "it is no skops file",
    with_a_flipped_bit: "it is no skops file",
    that_is_another_valid_model: "",
}


def write_custom_code(folder: Path, canary: Path) -> None:
    """Let MLflow import a module of the model's own, as `code_paths` and `loader_module` do."""
    (folder / "code").mkdir()
    (folder / "code" / "loads_it.py").write_text(f"{TOUCH.format(str(canary))}\ndef _load_pyfunc(path): return None\n", encoding="utf-8")
    _describe(folder, {"python_function": {"loader_module": "loads_it", "code": "code", "python_version": "3.11.0"}})


def write_another_flavour(folder: Path, canary: Path) -> None:
    """Let MLflow take a pickle that lies beside the good file."""
    (folder / "model.pkl").write_bytes(pickled(b"", canary))
    flavour = {"pickled_model": "model.pkl", "serialization_format": "cloudpickle", "sklearn_version": "1.9.0"}
    _describe(folder, {"sklearn": flavour, "python_function": {"loader_module": "mlflow.sklearn", "model_path": "model.pkl"}})


def write_wider_trust(folder: Path, canary: Path) -> None:
    """Let the model's own list trust what its file holds, which is what MLflow asks."""
    (folder / "model.skops").write_bytes(with_a_shell_command(b"", canary))
    flavour = {
        "pickled_model": "model.skops",
        "serialization_format": "skops",
        "skops_trusted_types": ["posix.system", "functools.partial"],
    }
    _describe(folder, {"sklearn": flavour})


FOLDERS = (write_custom_code, write_another_flavour, write_wider_trust)


def _describe(folder: Path, flavours: dict[str, object]) -> None:
    said = yaml.safe_load((folder / "MLmodel").read_text(encoding="utf-8"))
    (folder / "MLmodel").write_text(yaml.safe_dump({**said, "flavors": flavours}), encoding="utf-8")


def _dumped(held: object) -> bytes:
    """Store a pipeline that holds something where a function should be."""
    return skops.io.dumps(Pipeline([("model", FunctionTransformer(held))]))


def _opened(content: bytes) -> tuple[dict[str, Any], dict[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    return json.loads(entries.pop("schema.json")), entries


def _zipped(schema: dict[str, Any], entries: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, entry in {**entries, "schema.json": json.dumps(schema).encode()}.items():
            archive.writestr(name, entry)
    return content.getvalue()


def _nodes(state: object) -> list[dict[str, Any]]:
    if isinstance(state, list):
        return [node for each in state for node in _nodes(each)]
    if not isinstance(state, dict):
        return []
    return [*([state] if "__loader__" in state else []), *(node for each in state.values() for node in _nodes(each))]


def _with_entry(good: bytes, entry: str | zipfile.ZipInfo, text: str = "held") -> bytes:
    content = io.BytesIO(good)
    with zipfile.ZipFile(content, "a") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the name is there already
        archive.writestr(entry, text)
    return content.getvalue()
