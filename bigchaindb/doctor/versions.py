"""Whether the data are of this version, or the next start brings them up to date."""

from collections.abc import Iterator

from bigchaindb.doctor.finding import Finding
from bigchaindb.errors import SchemaTooNew, SchemaUnknown, StoreError
from bigchaindb.store.directory import DataDirectory
from bigchaindb.store.migrations import LEDGER_VERSION, NODE_VERSION, WAYS_ON, known_schema_of, schema_of, too_new


def examine_versions(directory: DataDirectory) -> Iterator[Finding]:
    """Examine the schemas of both databases; yield nothing for those of this version."""
    for file, latest in ((directory.ledger, LEDGER_VERSION), (directory.node, NODE_VERSION)):
        try:
            version = known_schema_of(file, latest)
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
