"""keys new, keys show: key pairs of users, to try the node without a driver."""

from pathlib import Path
from typing import Final

import click

from bigchaindb.cli.lazy import Group
from bigchaindb.cli.options import json_option
from bigchaindb.cli.output import put, put_json, say
from bigchaindb.errors import StartupError
from bigchaindb.key_files import keypair_document, new_keypair, read_keypair, write_keypair
from bigchaindb.transaction.keys import KeyPair

KEY_FILE_VARIABLE: Final = "BIGCHAINDB_KEY_FILE"
PRIVATE_KEY_VARIABLE: Final = "BIGCHAINDB_PRIVATE_KEY"


@click.group(cls=Group)
def keys() -> None:
    """Make and show key pairs of the ledger's users."""


@keys.command(
    epilog="""\b
Examples:
  bigchaindb keys new --output alice.json
  bigchaindb keys new | jq -r .public"""
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the key pair to a new file, mode 0600.")
def new(output: Path | None) -> None:
    """Make a key pair and print it as JSON: private and public key in base58.

    With --output the key pair is written to that file, and only the public key is printed.
    """
    pair = new_keypair()
    if output is None:
        put_json(keypair_document(pair))
        return
    write_keypair(output, pair)
    say(f"Key pair written to {output}; its public key:")
    put(pair.public_key)


@keys.command(
    epilog="""\b
Examples:
  bigchaindb keys show alice.json
  bigchaindb transactions transfer ID --key-file alice.json --to "$(bigchaindb keys show bob.json)\""""
)
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def show(file: Path, *, as_json: bool) -> None:
    """Print the public key of a key file."""
    public = read_key_file(file).public_key
    if as_json:
        put_json({"public": public})
    else:
        put(public)


def read_key_file(path: Path) -> KeyPair:
    """Return the key pair of a file of `keys new`.

    Raises:
        StartupError: it cannot be read, or is no key file.
    """
    try:
        return read_keypair(path)
    except StartupError as error:
        if not path.exists():
            error.add_note(f"correct the name, or make the file with `bigchaindb keys new --output {path}`")
        raise
