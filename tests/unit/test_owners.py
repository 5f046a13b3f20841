"""What a user is told who is not the owner of a place. Source: docs/how-to/run-in-a-container.md."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from multiprocessing.connection import Pipe
from pathlib import Path

import pytest

from bigchaindb.doctor.files import examine_access_to_files
from bigchaindb.owners import refusal, refusal_to_make
from bigchaindb.store.directory import DataDirectory

NOBODY = 65_534


@pytest.fixture
def closed() -> Iterator[Path]:
    """A folder that only its owner may enter, in one that all may; `tmp_path` is closed itself."""
    if os.geteuid():
        yield Path("/root")
        return
    with tempfile.TemporaryDirectory(prefix="bigchaindb-owners-") as made:
        Path(made).chmod(0o755)
        (found := Path(made) / "closed").mkdir(mode=0o700)
        yield found


def as_another(ask: Callable[[], str | None]) -> str:
    """Return what a process of another user than root is told."""
    if os.geteuid():
        return ask() or ""
    ours, theirs = Pipe()
    with closing(ours), closing(theirs):
        if (child := os.fork()) == 0:
            try:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
                theirs.send(ask() or "")
            except BaseException as error:  # noqa: BLE001 - the parent shows it
                theirs.send(repr(error))
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        told: str = ours.recv()
        return told


@pytest.mark.parametrize("path", ["/ledger-of-a-test", "/etc/none/ledger of a test"])
def test_no_command_hands_over_a_folder_that_others_use(path: str) -> None:
    """Whoever runs it for / or /var/lib ends every other program of the machine."""
    told = as_another(lambda: refusal_to_make(Path(path)))
    above = "/etc" if path.startswith("/etc") else "/"
    assert told.startswith(f"`{above}` belongs to user 0 (root) and has mode ")
    assert "; run it as user 0 (root), or as root: install -d -o " in told
    assert told.endswith(" -m 0700 " + (f"'{path}'" if " " in path else path))
    assert "chown" not in told


def test_a_folder_on_the_way_is_handed_over_by_itself_and_on_a_condition(closed: Path) -> None:
    """It may be a volume for the node, and may be the home of root."""
    for ask in (refusal, refusal_to_make):
        told = as_another(lambda ask=ask: ask(closed / "data" / "ledger"))  # type: ignore[misc]
        assert told.startswith(f"`{closed}` belongs to user 0 (root) and has mode 0700, and this process is of user ")
        assert "or as root, if nothing but this node uses that folder: chown " in told
        assert told.endswith(f" {closed}")
        assert "-R" not in told


def test_what_is_the_nodes_own_is_handed_over_whole(closed: Path) -> None:
    told = as_another(lambda: refusal(closed))
    assert "; run it as user 0 (root), or as root: chown -R " in told


def test_doctor_names_a_folder_on_the_way_that_may_not_be_entered(closed: Path) -> None:
    """It ended in a traceback: what is behind such a folder cannot be examined."""
    told = as_another(lambda: "\n".join(one.text for one in examine_access_to_files(DataDirectory(closed / "data"))))
    assert told.startswith(f"`{closed}` belongs to user 0 (root) and has mode 0700, and this process is of user ")
