"""A worker process of prepare: `python -m kathrine.corpus.worker FD`. It ends when the process that began it does.

It is a fresh interpreter and not a fork: it never runs the main module again, whatever that is (a script, a test,
a notebook), and shares no state with it."""

from __future__ import annotations

import os
import pickle
import sys
import threading
import traceback
from multiprocessing.connection import Connection


def serve(connection: Connection) -> None:
    """Answer jobs, (function, arguments) in pickled form, with (True, result) or (False, traceback), until the other
    end is closed."""
    connection.send("ready")
    while True:
        try:
            function, arguments = pickle.loads(connection.recv_bytes())
        except (EOFError, OSError):
            return
        try:
            answer = (True, function(*arguments))
        except Exception:  # noqa: BLE001  the main process raises it: here nobody would see it
            answer = (False, traceback.format_exc())
        try:
            connection.send(answer)
        except OSError:
            return


def end_with_parent() -> None:
    """The standard input is a pipe that nobody writes to: it ends with the main process, however that ends."""
    os.read(0, 1)
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=end_with_parent, daemon=True).start()
    serve(Connection(int(sys.argv[1])))
