"""`python -m bigchaindb` is the command `bigchaindb`."""

from bigchaindb.cli import main

if __name__ == "__main__":
    main()
