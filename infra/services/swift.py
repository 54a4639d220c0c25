"""Installs OpenStack Swift, and writes the configuration of a node that speaks S3."""

import fcntl
import os
import platform
import pwd
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from infra.services.server import LOOPBACK, ServiceError

SWIFT_HOME: Final = Path(__file__).resolve().parents[2] / ".cache" / "swift"

# Swift still imports pkg_resources, which setuptools dropped in 81.
_REQUIREMENTS: Final = ("swift==2.38.3", "setuptools<81")

ACCOUNT: Final = "test"
USER: Final = "tester"
SECRET_KEY: Final = "testing"  # noqa: S105  of a test server on loopback
REGION: Final = "us-east-1"

_PIPELINE: Final = {
    "catch_errors": {},
    "gatekeeper": {},
    "listing_formats": {},
    "bulk": {},
    "s3api": {"location": REGION, "s3_acl": "false", "check_bucket_owner": "false"},
    "tempauth": {f"user_{ACCOUNT}_{USER}": f"{SECRET_KEY} .admin"},
    "copy": {},
    # Segments of a deleted multipart object go at once: no expirer runs to do it later.
    "slo": {"allow_async_delete": "false"},
    "dlo": {},
    "versioned_writes": {},
    "symlink": {},
}


def install_swift(home: Path = SWIFT_HOME) -> Path:
    """Installs Swift in a virtual environment of its own, unless that is done already.

    Its dependencies are not the project's. Processes that call this at the same time wait for
    the first; an environment left half made, or made by another Python, is made anew.

    Returns:
        The Python interpreter that can import Swift.

    Raises:
        ServiceError: If pip fails; the message holds the end of what it said.
    """
    python = home / "bin" / "python"
    complete = home / "complete.txt"
    identity = "\n".join([*_REQUIREMENTS, f"python {platform.python_version()}", str(home)])
    home.parent.mkdir(parents=True, exist_ok=True)
    with home.with_name(f"{home.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # released when closed, also by a killed process
        if python.exists() and complete.exists() and complete.read_text() == identity:
            return python
        # The mark goes first and comes last, so that it never stands over half an environment.
        complete.unlink(missing_ok=True)
        if home.exists():
            shutil.rmtree(home)
        for command in (
            [sys.executable, "-m", "venv", str(home)],
            [str(python), "-m", "pip", "install", "--disable-pip-version-check", *_REQUIREMENTS],
        ):
            done = subprocess.run(
                command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
            if done.returncode != 0:
                end = "\n".join(done.stdout.splitlines()[-20:])
                raise ServiceError(f"could not install Swift: {' '.join(command)}\n{end}")
        complete.write_text(identity)
    return python


def write_configuration(folder: Path, ports: Mapping[str, int]) -> None:
    """Writes the configuration of a node with one disk under ``folder``.

    Args:
        folder: Gets ``etc`` and ``devices/disk``.
        ports: The port of each of ``proxy``, ``account``, ``container`` and ``object``.

    Raises:
        ServiceError: If the file system cannot hold Swift's metadata.
    """
    etc = folder / "etc"
    disk = folder / "devices" / "disk"
    etc.mkdir(parents=True, exist_ok=True)
    disk.mkdir(parents=True, exist_ok=True)
    _require_extended_attributes(disk)
    # Where objects lie follows from these, so they stay the same for the life of the data.
    _write(
        etc / "swift.conf",
        {"swift-hash": {"swift_hash_path_prefix": "geogaze", "swift_hash_path_suffix": "geogaze"}},
    )
    common = {
        "bind_ip": LOOPBACK,
        "bind_timeout": "5",
        "workers": "0",
        "devices": str(disk.parent),
        "mount_check": "false",
        "disable_fallocate": "true",
        "swift_dir": str(etc),
        "user": pwd.getpwuid(os.geteuid()).pw_name,
        "log_level": "WARNING",
        # Generous, as no updater runs to repair what a busy machine let time out: an object
        # would be missing from listings for ever.
        "conn_timeout": "5",
        "node_timeout": "30",
        "container_update_timeout": "30",
    }
    for kind in ("account", "container", "object"):
        _write(
            etc / f"{kind}.conf",
            {
                "DEFAULT": {**common, "bind_port": str(ports[kind])},
                "pipeline:main": {"pipeline": f"{kind}-server"},
                f"app:{kind}-server": {"use": f"egg:swift#{kind}"},
            },
        )
    _write(
        etc / "proxy.conf",
        {
            "DEFAULT": {**common, "bind_port": str(ports["proxy"])},
            "pipeline:main": {"pipeline": " ".join([*_PIPELINE, "proxy-server"])},
            "app:proxy-server": {
                "use": "egg:swift#proxy",
                "allow_account_management": "true",
                "account_autocreate": "true",
                # Else ten errors put the only node out of use for a minute.
                "error_suppression_limit": "1000000000",
            },
            **{
                f"filter:{name}": {"use": f"egg:swift#{name}", **options}
                for name, options in _PIPELINE.items()
            },
        },
    )


def _write(path: Path, sections: Mapping[str, Mapping[str, str]]) -> None:
    lines = []
    for section, options in sections.items():
        lines += [f"[{section}]", *(f"{key} = {value}" for key, value in options.items()), ""]
    path.write_text("\n".join(lines))


def _require_extended_attributes(folder: Path) -> None:
    probe = folder / "attributes.probe"
    probe.touch()
    try:
        os.setxattr(probe, "user.swift.metadata", b"x" * 1000)
    except OSError as error:
        raise ServiceError(
            f"Swift keeps metadata in extended attributes, which {folder} does not take "
            f"({error.strerror}): choose a folder on another file system, such as ext4 or xfs"
        ) from error
    finally:
        probe.unlink()
