"""Runs tests on copies of the tree, each run in a fork of a process that has torch loaded."""

from __future__ import annotations

import atexit
import compileall
import contextlib
import gc
import importlib
import importlib.util
import os
import select
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from infra.services import S3, Redis
from tests.mutants.catalogue import Mutant

ROOT = Path(__file__).parents[2]
_LIMIT = 400.0  # seconds for one mutant's tests; a hang counts as noticed
_LOADED = (  # never of our own: a fork imports that anew, with the fault in it
    *("alembic", "boto3", "captum.attr", "celery", "cv2", "fastapi", "geopandas"),
    *("httpx", "hypothesis", "PIL.Image", "psycopg", "pyproj", "pystac", "pytest", "rasterio"),
    *("rich.progress", "rio_cogeo", "shapely", "sqlalchemy.orm", "structlog", "torch.fx"),
    *("torch.utils.flop_counter", "torchvision.models", "typer", "uvicorn"),
)


Work = tuple[Mutant | None, tuple[str, ...]]
"""A mutant, or None for the code as it is, and the tests to run."""


@dataclass(frozen=True)
class Verdict:
    """How a run of tests ended: pytest's exit status (None: killed at the limit) and words."""

    status: int | None
    seconds: float
    words: str

    @property
    def noticed(self) -> bool:
        """Whether a test failed, or the module could not even be imported, or all hung."""
        return self.status not in {0, 4, 5}

    @property
    def test(self) -> str | None:
        """The test that failed, as pytest names it."""
        word, _, rest = self.words.partition(" ")
        return rest.partition(" - ")[0] if word == "FAILED" else None


class Copy:
    """A copy of the working tree, in which one mutant at a time lives."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(listed, cwd=ROOT, capture_output=True, check=True).stdout
        for name in filter(None, os.fsdecode(names).split("\0")):
            if (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)
        compileall.compile_dir(folder, quiet=1)
        (ROOT / ".cache").mkdir(exist_ok=True)
        (folder / ".cache").symlink_to(ROOT / ".cache")  # an S3 server is installed there

    @contextlib.contextmanager
    def holding(self, mutant: Mutant | None) -> Iterator[None]:
        """The copy with the fault in it."""
        if mutant is None:
            yield
            return
        path = self.folder / mutant.path
        source, times = path.read_text(), path.stat()
        cached = Path(importlib.util.cache_from_source(str(path)))
        kept = cached.with_suffix(".kept")  # a compiled module may be as old and as long
        cached.rename(kept)
        path.write_text(mutant.applied(source))
        try:
            yield
        finally:
            path.write_text(source)
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
            kept.rename(cached)


@contextlib.contextmanager
def servers(folder: Path, mutants: list[Mutant]) -> Iterator[None]:
    """Redis and S3 for all tests that need them: each run would start its own."""
    tests = {test for mutant in mutants for test in mutant.tests}
    with contextlib.ExitStack() as running:
        if any(test.startswith("tests/integration/") for test in tests):
            s3 = running.enter_context(S3(folder / "s3"))
            redis = running.enter_context(Redis(folder / "redis"))
            os.environ["GEOGAZE_TEST_S3_URL"] = s3.connection.url
            os.environ["GEOGAZE_TEST_REDIS_URL"] = redis.url
        yield


def load_libraries() -> None:
    """Import once what every fork would import for itself."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("GEOGAZE_TEST_DATA", str(ROOT.parent / "shared" / "data"))
    for name in _LOADED:
        importlib.import_module(name)
    gc.freeze()  # pytest collects garbage after every run
    atexit.register(gc.unfreeze)


def run_all(
    work: list[Work],
    copies: list[Copy],
    told: Callable[[Mutant | None, Verdict], None],
) -> None:
    """Run each mutant's tests, one mutant in each copy at a time."""
    waiting = list(reversed(work))
    free = list(copies)
    running: dict[int, _Running] = {}
    try:
        while waiting or running:
            while waiting and free:
                one = _Running(*waiting.pop(), free.pop())
                running[one.fd] = one
            first = min(one.until for one in running.values())
            ready, _, _ = select.select(list(running), [], [], max(0.0, first - time.monotonic()))
            over = [fd for fd, one in running.items() if one.until <= time.monotonic()]
            for fd in {*ready, *over}:
                one = running.pop(fd)
                verdict = one.end()
                free.append(one.copy)
                told(one.mutant, verdict)
    finally:
        for one in running.values():
            one.end()


class _Running:
    def __init__(self, mutant: Mutant | None, tests: tuple[str, ...], copy: Copy) -> None:
        self.mutant, self.copy = mutant, copy
        self._start = time.monotonic()
        self.until = self._start + (_LIMIT if mutant else 4 * _LIMIT)
        self._log = copy.folder / "mutants.log"
        self._held = contextlib.ExitStack()
        self._held.enter_context(copy.holding(mutant))
        self._pid = os.fork()
        if not self._pid:
            _child(copy.folder, self._log, tests)
        self.fd = os.pidfd_open(self._pid)

    def end(self) -> Verdict:
        """Take the verdict; what still runs, and what it has started, is killed."""
        over = not select.select([self.fd], [], [], 0)[0]
        if over:
            os.kill(self._pid, signal.SIGKILL)
        os.close(self.fd)
        status = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._pid, signal.SIGKILL)
        self._held.close()
        said = self._log.read_text(errors="replace").splitlines()
        failed = [line for line in said if line.startswith(("FAILED", "ERROR"))] or said[-1:]
        words = "still running" if over else " ".join(failed[:1])
        return Verdict(None if over else status, time.monotonic() - self._start, words)


def _child(folder: Path, log: Path, tests: tuple[str, ...]) -> None:
    status = 3
    try:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with log.open("wb") as out:
            for stream in (1, 2):
                os.dup2(out.fileno(), stream)
        os.chdir(folder)
        for name in [n for n in sys.modules if n.partition(".")[0] in {"tests", "geogaze"}]:
            del sys.modules[name]
        os.environ["PYTHONPATH"] = str(folder)
        sys.path[:] = [str(folder), *(p for p in sys.path if p not in {"", str(ROOT)})]
        import geogaze

        assert geogaze.__file__ == str(folder / "geogaze" / "__init__.py")
        del sys.modules["geogaze"]
        import pytest
        from hypothesis import Phase, settings

        settings.register_profile("quick", phases=[Phase.explicit, Phase.generate], database=None)
        options = ["-x", "-q", "--tb=line", "-p", "no:cacheprovider", "-n", "0"]
        options += ["-p", "no:schemathesis"]
        options += ["-o", "timeout=150", "-o", "timeout_method=thread", "--hypothesis-seed=0"]
        options += ["--hypothesis-profile=quick"]  # does not shrink
        options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # loaded already
        status = int(pytest.main([*options, *tests]))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(status)
