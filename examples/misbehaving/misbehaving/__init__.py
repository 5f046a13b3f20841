"""An events plugin that fails on purpose, to show how the node reacts.

Options: `record`, a file that gets a line for each event, `<position> <attempt> <process>`; `fault`, what to do with
the event at position `at`, 0 for each; `times`, at how many of its deliveries.
"""

import contextlib
import multiprocessing
import os
import pathlib
import signal
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any, NoReturn

from bigchaindb.events import Event, EventQueue

options: dict[str, Any] = {"record": "", "fault": "raise", "at": 0, "times": 1}


def configure(given: Mapping[str, Any]) -> None:
    options.update(given)
    if options["fault"] == "refuse":
        raise ValueError("no options are good enough")
    if options["fault"] == "exit-at-start":
        os._exit(3)


def run(queue: EventQueue) -> None:
    fault, at = options["fault"], options["at"]
    if fault == "return-at-once":
        return
    if fault == "swallow":
        swallow_everything(queue)
    while True:
        event = queue.get()
        record(event)
        if at in (0, event.position) and event.attempt <= options["times"]:
            if fault == "return":
                return
            if fault == "descendants":
                start_descendants()
            misbehave(fault, queue, event)


def record(event: Event) -> None:
    if not options["record"]:
        return
    line = f"{event.position} {event.attempt} {os.getpid()}\n".encode()
    fd = os.open(options["record"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(fd, line)
    finally:
        os.close(fd)


def swallow_everything(queue: EventQueue) -> NoReturn:
    while True:
        with contextlib.suppress(Exception):  # the fault itself
            record(queue.get())


def misbehave(fault: str, queue: EventQueue, event: Event) -> None:
    if fault == "raise":
        raise RuntimeError(f"cannot digest position {event.position}")
    if fault == "exit":
        sys.exit(4)
    if fault == "exit-hard":
        os._exit(0)
    if fault == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if fault in {"hang", "descendants"}:
        time.sleep(3600)
    if fault == "hang-in-get":
        taker = threading.Thread(target=queue.get)
        taker.start()
        time.sleep(3600)
    if fault == "thread-ends":
        taker = threading.Thread(target=queue.get)
        taker.start()
        taker.join()
        time.sleep(3600)
    if fault == "leave-child":
        if os.fork() == 0:
            time.sleep(3600)
        os._exit(1)


def start_descendants() -> None:
    """Start processes in every way that gets away from a parent; each writes its id into `record`.children."""
    for kind in (setsid_child, double_fork_child):
        if os.fork() == 0:
            kind()
    for daemon in (False, True):
        multiprocessing.Process(target=stay, daemon=daemon).start()
    pool = multiprocessing.Pool(1)
    pool.apply_async(setsid_child)
    options["kept"] = pool


def setsid_child() -> NoReturn:
    os.setsid()
    stay()


def double_fork_child() -> NoReturn:
    os.setsid()
    if os.fork() == 0:
        stay()
    os._exit(0)


def stay() -> NoReturn:
    with pathlib.Path(f"{options['record']}.children").open("a") as file:
        file.write(f"{os.getpid()}\n")
    time.sleep(3600)
    os._exit(0)
