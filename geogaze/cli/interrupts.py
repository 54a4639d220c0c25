"""Ctrl-C: a word at once, whatever the program is busy with, and a way out for the impatient."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from geogaze.cli.terminal import INTERRUPTED, err


@contextmanager
def first_word(word: str) -> Iterator[None]:
    """Say ``word`` as soon as Ctrl-C is pressed; pressed again, it ends the process there and then.

    Python raises KeyboardInterrupt only once the main thread is back from the library it is in,
    which can be many seconds. The system's own signal handler writes to a socket before that, and
    a thread reads it.
    """
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    listener = threading.Thread(target=_listen, args=(reader, word), name="ctrl-c", daemon=True)
    listener.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        writer.close()
        listener.join()
        reader.close()


def _listen(reader: socket.socket, word: str) -> None:
    said = False
    while number := reader.recv(1):  # nothing at all: the other end was closed
        if number[0] != signal.SIGINT:
            continue
        if said:
            err.show_cursor(True)
            os._exit(INTERRUPTED)
        err.print(f"\n{word}", markup=False, highlight=False, soft_wrap=True)
        said = True
