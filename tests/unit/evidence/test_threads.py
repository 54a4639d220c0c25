"""Work of the device's is done on one thread, however many ask for the first time at once."""

from __future__ import annotations

import subprocess
import sys

_ASK = """
import sys, threading
{imported}
sys.setswitchinterval(1e-6)
barrier = threading.Barrier(8)
seen = set()
def ask():
    barrier.wait()
    seen.add({run}(threading.get_ident))
threads = [threading.Thread(target=ask) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert len(seen) == 1, seen
assert not seen & {{thread.ident for thread in threads}}
"""


def test_all_share_one_thread_from_the_first_call_on() -> None:
    code = _ASK.format(imported="from geogaze.evidence.device import on_device", run="on_device")
    for _ in range(2):
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
