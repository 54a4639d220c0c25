"""Runs an OpenStack Swift node in the foreground; executed by Swift's own Python.

Usage: ``python -I swift_node.py FOLDER PROXY ACCOUNT CONTAINER OBJECT``, the last four being
ports. The four servers are forked from one process that has imported everything, which starts
them in the time, and nearly the memory, of one.
"""

import ctypes
import importlib
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

PR_SET_PDEATHSIG = 1

SERVERS = {
    "account": "swift.account.server",
    "container": "swift.container.server",
    "object": "swift.obj.server",
    "proxy": "swift.proxy.server",
}


def write_rings(etc: Path, ports: dict[str, int]) -> None:
    """Writes the maps that tell the proxy where accounts, containers and objects are.

    A partition's place on disk does not depend on the port, so data written under other ports
    is found again.
    """
    ring = importlib.import_module("swift.common.ring")
    for kind in ("account", "container", "object"):
        builder = ring.RingBuilder(4, 1, 1)  # 2^4 partitions, one replica
        builder.add_dev(
            {
                "region": 1,
                "zone": 1,
                "ip": "127.0.0.1",
                "port": ports[kind],
                "device": "disk",
                "weight": 1,
            }
        )
        builder.rebalance(seed=0)
        builder.get_ring().save(str(etc / f"{kind}.ring.gz"))


def serve(etc: Path, name: str) -> int:
    """Runs one server in this process, a forked child, which dies with its parent."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    wsgi = importlib.import_module("swift.common.wsgi")
    # Verbose only in that the log, kept at warnings, goes to stderr besides syslog.
    status: int = wsgi.run_wsgi(str(etc / f"{name}.conf"), f"{name}-server", verbose=True)
    return status


def main() -> int:
    """Starts the servers; ends them all when one ends or on SIGTERM."""
    etc = Path(sys.argv[1]) / "etc"
    ports = dict(zip(("proxy", "account", "container", "object"), sys.argv[2:], strict=True))
    for module in (*SERVERS.values(), "swift.common.middleware.s3api.s3api"):
        importlib.import_module(module)
    write_rings(etc, {name: int(port) for name, port in ports.items()})

    def terminate(number: int, frame: FrameType | None) -> NoReturn:
        sys.exit(0)

    signal.signal(signal.SIGTERM, terminate)
    children: dict[int, str] = {}
    try:
        for name in SERVERS:
            pid = os.fork()
            if pid == 0:
                children.clear()  # they are the parent's to end
                return serve(etc, name)
            children[pid] = name
        pid, status = os.wait()
        code = os.waitstatus_to_exitcode(status)
        print(f"swift {children.pop(pid)} server ended with status {code}", file=sys.stderr)
        return 1
    finally:
        for pid in children:
            os.kill(pid, signal.SIGKILL)
        for pid in children:
            os.waitpid(pid, 0)


if __name__ == "__main__":
    sys.exit(main())
