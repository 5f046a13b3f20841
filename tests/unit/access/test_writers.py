"""Who may create assets on this node."""

import os
from pathlib import Path

import pytest

from bigchaindb.access.writers import BYTES_MAX, Writers
from bigchaindb.errors import ConfigurationError, WriterNotAllowed
from bigchaindb.transaction import build, parse
from bigchaindb.transaction.conditions import details_of
from bigchaindb.transaction.keys import encode
from bigchaindb.transaction.model import Version
from tests.support.chains import ALICE, BOB, CAROL, Coin, create, transfer


def listed(path: Path, *lines: str) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return listed(tmp_path / "writers", "# who may write", "", f"  {ALICE.public_key} ", CAROL.public_key)


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_a_create_needs_the_signature_of_a_writer(path: Path, version: Version) -> None:
    writers = Writers(path)
    writers.require(create(1, ALICE, version=version))
    writers.require(parse(build.create([BOB, CAROL], version=version).body))
    with pytest.raises(WriterNotAllowed, match=r"access\.writers"):
        writers.require(create(1, BOB, version=version))


def test_a_writer_who_is_only_named_did_not_sign(path: Path) -> None:
    """One of two suffices for a threshold, and a stranger can put any key beside its own."""
    details = details_of([BOB.public_key, ALICE.public_key], 1)
    template = build._template("CREATE", {"data": None}, [build.Payment(details)], None, "2.0")
    made = parse(build._signed(template, [build._Input(None, details, [BOB])], "2.0").body)
    assert ALICE.public_key in made.inputs[0].owners_before
    with pytest.raises(WriterNotAllowed):
        Writers(path).require(made)


def test_a_transfer_is_its_owners_own(path: Path) -> None:
    Writers(path).require(transfer(Coin(create(1, BOB), owner=BOB)))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "must hold 1 to 10,000 public keys, found 0"),
        (b"# nobody\n\n", "found 0"),
        (f"{ALICE.public_key}\n{BOB.public_key[:30]}".encode(), "line 2"),
        (ALICE.public_key.encode() + b"\n\xff\n", "line 2"),
        ((BYTES_MAX + 1) * b"#", "is larger than 1048576 bytes"),
        (
            b"\n".join(encode(number.to_bytes(4) * 8).encode() for number in range(1 << 30, (1 << 30) + 10_001)),
            "keys, found 10001",
        ),
    ],
    ids=["empty", "comments", "a cut key", "no text", "large", "many"],
)
def test_what_is_no_list_is_an_error_and_leaves_the_former(path: Path, content: bytes, why: str) -> None:
    """A file that is half written must neither open the door nor close it."""
    writers = Writers(path)
    path.write_bytes(content)
    error = writers.reload()
    assert error is not None
    assert why in error
    assert BOB.public_key[:30] not in error  # it may be a private key
    writers.require(create(1, ALICE))
    with pytest.raises(ConfigurationError, match=r"^access\.writers: "):
        Writers(path)


def test_a_file_that_is_gone_leaves_the_former_list(path: Path) -> None:
    writers = Writers(path)
    path.unlink()
    writers.reload_if_changed()
    writers.require(create(1, ALICE))
    assert len(writers) == 2
    with pytest.raises(ConfigurationError, match="cannot read"):
        Writers(path)


def test_a_pipe_is_refused_and_not_waited_for(path: Path) -> None:
    """A start would hang without a word, and so would the watch over the list."""
    writers = Writers(path)
    path.unlink()
    os.mkfifo(path)
    assert "must be a regular file, found a pipe" in str(writers.reload())
    writers.require(create(1, ALICE))


def test_a_change_is_seen(path: Path, tmp_path: Path) -> None:
    writers = Writers(path)
    listed(tmp_path / "new", BOB.public_key)
    (tmp_path / "new").replace(path)
    writers.reload_if_changed()
    writers.require(create(1, BOB))
    with pytest.raises(WriterNotAllowed):
        writers.require(create(1, ALICE))
    assert writers.reload() is None
