"""Whether node.db is whole: its pages and indexes by SQLite's own check, its rows by their checksums."""

from collections.abc import Iterator
from contextlib import closing
from functools import partial
from typing import Final

from bigchaindb.errors import StoreDamaged
from bigchaindb.store import node_rows
from bigchaindb.store.checking_file import check_header
from bigchaindb.store.database import open_copy, open_reader, translated
from bigchaindb.store.directory import DataDirectory
from bigchaindb.store.proving import Damage

_damage: Final = partial(Damage, file="node.db")


def check_node(directory: DataDirectory, *, is_copy: bool) -> Iterator[Damage]:
    """Read all of node.db again; a folder that has none has nothing to check.

    Args:
        directory: of a node, running or not, or a copy of one.
        is_copy: nobody has the files open.

    Raises:
        StoreError: the file cannot be read; damage is no error here.
    """
    if not directory.node.exists():
        return
    if is_copy:
        yield from check_header(directory.node)
    try:
        with (
            closing((open_copy if is_copy else open_reader)(directory.node)) as connection,
            translated(directory.node.name),
        ):
            for (text,) in connection.execute("PRAGMA integrity_check").fetchall():
                if text != "ok":
                    yield _damage("file", "-", text)
            if node_rows.has_sums(connection):
                for table in node_rows.TABLES:
                    for one in node_rows.compare(connection, table).damages:
                        yield _damage(table.name, one.error.row, "is not what its checksum is of")
    except StoreDamaged as error:
        yield _damage("file", "-", str(error))
