"""A check process: reads a frame of documents, parses all, verifies all, writes a frame of verdicts, and begins again.

It blocks, has one thread, and holds no key, no file and no socket but its own. A stranger's document that got the
better of a parser would find nothing here to take or to open.
"""

import ctypes
import os
import resource
import signal
import socket
import traceback
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, NoReturn

from bigchaindb.children import bound_resources
from bigchaindb.engine import check_frames as frames
from bigchaindb.keeper import end_with
from bigchaindb.ledger import verifying
from bigchaindb.ledger.validating import Parsed

BATCH_CPU_S_MAX: Final = 10.0
"""CPU time of one batch, a thousand times the usual: then the kernel kills the process (SIGPROF)."""
ADDRESS_BYTES_MAX: Final = 1024 * 1024 * 1024
"""Address space: 30 times what a process begins with, and twice what the most costly document of 1 MiB was seen to take
with its verdict."""
OUT_OF_MEMORY: Final = 3
"""Exit code of a process that met that bound."""
_NOBODY: Final = 65534
_PR_SET_NO_NEW_PRIVS: Final = 38
_OWN: Final = 3
"""The only descriptor besides the standard streams, which lead nowhere."""


def become(own: socket.socket, parent: int, rules: verifying.DocumentRules, niceness: int) -> NoReturn:
    """Turn a child just forked from a process with one thread into a check process.

    Args:
        own: its end of the socket.
        parent: with whose end it ends.
        rules: what documents are checked by.
        niceness: as of `nice`.
    """
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        renounce(own.detach(), parent, niceness)
        with socket.socket(fileno=_OWN) as stream:
            serve(stream, rules)
        code = 0
    except MemoryError:
        code = OUT_OF_MEMORY
    except ConnectionError:  # the node let go of it while it was busy
        code = 0
    finally:  # nothing of the parent's may go on here, whatever happened
        os._exit(code)


def renounce(own: int, parent: int, niceness: int) -> None:
    """Keep one descriptor, and give up all that a check does not need."""
    os.dup2(own, _OWN, inheritable=False)
    for stream in range(_OWN):
        os.dup2(os.open(os.devnull, os.O_RDWR), stream)
    os.closerange(_OWN + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    os.nice(niceness)
    if os.geteuid() == 0:
        with suppress(OSError):  # a container may lack the right to it
            os.setgroups([])
            os.setresgid(_NOBODY, _NOBODY, _NOBODY)
            os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    none = (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE, resource.RLIMIT_NPROC, resource.RLIMIT_NOFILE)
    bound_resources({resource.RLIMIT_AS: ADDRESS_BYTES_MAX, **dict.fromkeys(none, 0)})
    if not end_with(parent):  # the last step: a change of the user would undo it
        os._exit(0)


def serve(stream: socket.socket, rules: verifying.DocumentRules) -> None:
    """Check batch after batch until the node closes the socket."""
    with stream.makefile("rb") as reader:
        while head := reader.read(frames.HEAD.size):
            [size] = frames.HEAD.unpack(head)
            bodies = frames.bodies_of(reader.read(size))
            signal.setitimer(signal.ITIMER_PROF, BATCH_CPU_S_MAX)
            stream.sendall(frames.verdicts_frame(verdicts_on(bodies, rules)))


def verdicts_on(bodies: Sequence[bytes], rules: verifying.DocumentRules) -> list[frames.Verdict]:
    """Return a verdict on each document; those that meet a defect fail alone."""
    try:
        return _verdicts(bodies, rules)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001  it is met again below, where the document is known
        return [_verdict_alone(body, rules) for body in bodies]


def _verdict_alone(body: bytes, rules: verifying.DocumentRules) -> frames.Verdict:
    try:
        [verdict] = _verdicts([body], rules)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001  the node logs it
        return frames.defect(error, traceback.format_exc())
    return verdict


def _verdicts(bodies: Sequence[bytes], rules: verifying.DocumentRules) -> list[frames.Verdict]:
    found = verifying.verify_all(bodies, rules)
    return [frames.sound(one) if isinstance(one, Parsed) else frames.faulty(one) for one in found]
