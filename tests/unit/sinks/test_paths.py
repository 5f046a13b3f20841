"""The option `path` of the sinks that write a file. Source: docs/how-to/query-with-sql.md, "Options"."""

import re
from pathlib import Path

import pytest

from bigchaindb.sinks.file import FileOptions
from bigchaindb.sinks.sqlite import SqliteOptions


@pytest.mark.parametrize("options", [FileOptions, SqliteOptions])
@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("events", "path: must be absolute, found 'events'"),
        ("", "path: must be absolute, found ''"),
        ("~nobody-of-that-name/events", "path: its ~ is no home of a user, found '~nobody"),
        ("/tmp/a\0b", r"path: holds NUL, found '/tmp/a\x00b'"),
        ("/tmp/\udc80", r"path: has a name that UTF-8 cannot hold, found '/tmp/\udc80'"),
        ("/tmp/" + 128 * "ü", "path: has a name of 256 bytes, more than 255, found '/tmp/üü"),
    ],
    ids=["relative", "empty", "user", "nul", "surrogate", "long"],
)
def test_a_path_that_no_file_can_have_is_refused(
    options: type[FileOptions | SqliteOptions], path: str, why: str
) -> None:
    """A check called it usable, and the plugin failed at every start with an error of Python's."""
    with pytest.raises(ValueError, match="^" + re.escape(why)):
        options(path=path)


def test_a_home_is_filled_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    SqliteOptions(path="~/ledger.db")
    FileOptions(path="/tmp/" + 255 * "x")
