"""Whether the data are of this version, or the next start brings them up to date."""

from collections.abc import Iterator

from bigchaindb.doctor.finding import Finding, way_on
from bigchaindb.errors import SchemaTooNew, SchemaUnknown, StoreError
from bigchaindb.store.beside import require_node_db
from bigchaindb.store.directory import DataDirectory
from bigchaindb.store.migrations import LEDGER_STEPS, NODE_STEPS, WAYS_ON, known_schema_of, schema_of, too_new


def examine_versions(directory: DataDirectory) -> Iterator[Finding]:
    """Examine the schemas of both databases; yield nothing for those of this version."""
    for file, steps in ((directory.ledger, LEDGER_STEPS), (directory.node, NODE_STEPS)):
        latest = max(steps) + 1
        try:
            version = known_schema_of(file, steps)
        except SchemaTooNew:
            yield Finding("versions", "fix", f"{file}: {too_new(schema_of(file), latest)}", WAYS_ON)
            continue
        except SchemaUnknown as error:
            what, _, advice = str(error).partition("; ")
            yield Finding("versions", "fix", f"{file.parent}/{what}", advice)
            continue
        except StoreError:  # missing, or named by what reads more of the file
            continue
        if 0 < version < latest:
            text = (
                f"{file}: schema {version} is of an earlier version; the next start brings it to {latest}, and that "
                "version cannot open it afterwards"
            )
            yield Finding("versions", "note", text, "run `bigchaindb backup DIR` first: it is the way back")
            if file == directory.ledger:  # which is not read any further
                yield from _lost_node_db(directory)


def _lost_node_db(directory: DataDirectory) -> Iterator[Finding]:
    try:
        require_node_db(directory)
    except StoreError as error:
        yield Finding("ledger", "fix", f"{directory.path}: {error}", way_on(error))
