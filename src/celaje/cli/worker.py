"""The process in which a cloud or a service lives: started by granian (`cli/hosting.py`).

Starts what it is to serve, hands granian the WSGI application, and says why when it does not start.
"""

import ctypes
import gc
import importlib
import json
import os
import signal
import sys
import threading
import traceback
from multiprocessing import util
from pathlib import Path
from typing import Any

from celaje.cli.failure import Failure


class Loader:
    """Called by granian in the worker process; returns the WSGI application. `hosted` names the class
    ("module:Class") that is made of `settings` here: it has `start`, `stop` and `application`."""

    def __init__(self, settings: dict[str, Any], hosted: str):
        self._settings = settings
        self._hosted = hosted

    def __call__(self, *_: Any, **__: Any) -> Any:
        try:
            return self._start()
        except Failure as failure:
            failure.show()
        except Exception as error:
            explain(error, self._settings)
        # Nothing of this process is worth a clean end: the cloud did not start.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(1)

    def _start(self) -> Any:
        die_with_parent(self._settings["parent"])
        prepare_memory()
        # Until the server takes the signals over, Ctrl-C just ends the start.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        module, _, name = self._hosted.partition(":")
        hosted = getattr(importlib.import_module(module), name)(self._settings)
        hosted.start()
        _at_exit(hosted.stop)
        quicken()
        return hosted.application


def explain(error: Exception, settings: dict[str, Any]) -> None:
    """Why it did not start. `what` of the settings names it, `state` is a folder for details
    (None: they go where the log goes)."""
    from celaje.common.errors import CelajeError, ConfigurationError

    what = settings["what"]
    if isinstance(error, ConfigurationError):
        # An error that knows what to do next says so itself.
        advice = "" if "\n" not in error.message and ". " in error.message else "Mend it and start again."
        Failure(error.message, advice).show()
        return
    if settings["debug"] or not isinstance(error, CelajeError):
        if settings["state"] is None:
            traceback.print_exception(error)
            Failure(f"{what} could not start: {error}").show()
            return
        log = Path(settings["state"]) / "start-failure.log"
        if settings["ephemeral"]:
            # The folder goes with the cloud; what went wrong must outlive it.
            log = log.parent.with_suffix(".start-failure.log")
        log.write_text("".join(traceback.format_exception(error)))
        Failure(f"{what} could not start: {error}", f"The details are in {log}.").show()
        return
    Failure(f"{what} could not start: {error.message}").show()


def die_with_parent(parent: int) -> None:
    """Should the parent be killed, the kernel tells this process to end, so that nobody holds the state."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)
    if os.getppid() != parent:
        raise Failure("The command was stopped during the start.")


def prepare_memory() -> None:
    """Nothing that a start makes is garbage, so the collector waits until it is over. And the C library
    gives large blocks back: a password's hash takes 19 MiB for an instant, which it would keep per thread."""
    gc.disable()
    mmap_threshold = -3
    ctypes.CDLL(None).mallopt(mmap_threshold, 4 << 20)


def _at_exit(stop: Any) -> None:
    # A process started by multiprocessing runs no atexit hooks; its finalizers are the place.
    util.Finalize(None, _end, args=(stop,), exitpriority=100)


def _end(stop: Any) -> None:
    """What did not end in its time is left to be resumed. Python would wait for its threads, and with them
    for whatever they wait for."""
    code = 1
    try:
        stop()
        code = 0
    except Exception:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def quicken() -> None:
    """What is there now stays: the garbage collector need not walk it at each list of a thousand rows, nor
    now (of a tenth of a second's walk it would come back with nine thousand small objects)."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    gc.enable()
    # Handlers hold the interpreter lock only briefly; 5 ms slices would make small answers wait for big ones.
    sys.setswitchinterval(0.002)
    threading.current_thread().name = "server"


def write_record(path: Path, record: dict[str, Any]) -> None:
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(record))
    temporary.replace(path)
