"""Runs the notebooks of docs/notebooks, cell by cell, and writes what they show into them.

Jupyter runs them as well; this needs nothing but what geogaze needs. ``python -m infra.notebooks``
"""

from __future__ import annotations

import ast
import base64
import io
import json
import os
import re
import tempfile
from contextlib import chdir, redirect_stdout
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "docs" / "notebooks"

_SHOWN = (("text/html", "_repr_html_"), ("image/jpeg", "_repr_jpeg_"))
_OURS = "http://127.0.0.1"


def execute(notebook: dict[str, Any]) -> dict[str, Any]:
    """A notebook with what its cells give now, run in the folder of this process.

    As Jupyter does it: what is printed, then the value of a last expression. What leads to a server
    of this process is left out, as it ends with it.

    Args:
        notebook: of format 4.5, as JSON has it.
    """
    names: dict[str, Any] = {}
    cells, count = [], 0
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            count += 1
            outputs = _run("".join(cell["source"]), f"<cell {count}>", names, count)
            cell = {**cell, "execution_count": count, "outputs": outputs}  # noqa: PLW2901
        cells.append(cell)
    return {**notebook, "cells": cells}


def _run(source: str, place: str, names: dict[str, Any], count: int) -> list[dict[str, Any]]:
    body = ast.parse(source).body
    last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(compile(ast.Module(body, []), place, "exec"), names)  # noqa: S102  our own notebooks
        value = None
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), place, "eval"), names)  # noqa: S307  ours
    outputs: list[dict[str, Any]] = []
    if text := printed.getvalue():
        outputs.append({"output_type": "stream", "name": "stdout", "text": _lines(text)})
    if value is not None and _OURS not in (said := repr(value)):
        data = {"text/plain": _lines(re.sub(r" at 0x\w+", "", said))}  # another one each time
        for kind, method in _SHOWN:
            shown = getattr(value, method, lambda: None)()
            if isinstance(shown, bytes):
                data[kind] = [base64.b64encode(shown).decode()]
            elif shown is not None:
                data[kind] = _lines(shown)
        result = {"output_type": "execute_result", "execution_count": count, "metadata": {}}
        outputs.append({**result, "data": data})
    return outputs


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def main() -> None:
    """Run all of them and write them anew."""
    for path in sorted(FOLDER.glob("*.ipynb")):
        notebook = json.loads(path.read_text())
        with tempfile.TemporaryDirectory() as folder, chdir(folder):
            done = execute(notebook)
        text = json.dumps(done, indent=1, ensure_ascii=False) + "\n"
        path.write_text(text)
        print(f"{os.path.relpath(path)}: {len(text) / 1000:.0f} kB")


if __name__ == "__main__":
    main()
