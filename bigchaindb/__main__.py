"""`python -m bigchaindb` is the command `bigchaindb`."""

import sys

try:
    from bigchaindb.cli import main
except ModuleNotFoundError as error:  # a checkout is imported by every Python that runs in it
    sys.exit(
        f"bigchaindb: {sys.executable} has no module {error.name!r}, which the node needs; use the Python that "
        "the node was installed into: in a checkout run `make setup`, then `. .venv/bin/activate`"
    )

if __name__ == "__main__":
    main()
