"""Natural mistakes with keys, transactions and HTTP."""

import json
from collections.abc import Callable
from typing import Any, Final

from tests.support.mistakes import Mistake, Newcomer
from tests.support.ports import free_ports

UNKNOWN: Final = "0" * 64


def _with_keys(newcomer: Newcomer, *arguments: str) -> str:
    """Run a command about transactions of the running node; Alice and Bob have keys."""
    for name in ("alice.json", "bob.json"):
        newcomer.run("keys", "new", "--output", name)
    return newcomer.run("transactions", *arguments, "--node", newcomer.node.url)


def _created(newcomer: Newcomer) -> dict[str, Any]:
    made = _with_keys(newcomer, "create", "--key-file", "alice.json", "--asset", "{}", "--json")
    document: dict[str, Any] = json.loads(made.splitlines()[-1])
    return document


def _to_a_file(newcomer: Newcomer) -> str:
    asset = _created(newcomer)["id"]
    return _with_keys(newcomer, "transfer", asset, "--key-file", "alice.json", "--to", "bob.json")


def _spent_twice(newcomer: Newcomer) -> str:
    asset = _created(newcomer)["id"]
    transfer = ("transfer", asset, "--key-file", "alice.json", "--to", newcomer.run("keys", "show", "bob.json").strip())
    assert '"id"' in _with_keys(newcomer, *transfer)
    return _with_keys(newcomer, *transfer, "--metadata", '{"another": 1}')


def _over_a_key(newcomer: Newcomer) -> str:
    newcomer.run("keys", "new", "--output", "alice.json")
    return newcomer.run("keys", "new", "--output", "alice.json")


def _with_nobody_there(newcomer: Newcomer) -> str:
    newcomer.write("node.json", json.dumps({"server": {"bind": f"127.0.0.1:{free_ports(1)[0]}"}}))
    return newcomer.run("-c", "node.json", "transactions", "show", UNKNOWN)


def _posted(body: object, query: str = "") -> Callable[[Newcomer], str]:
    return lambda newcomer: newcomer.ask("POST", f"{newcomer.node.url}/api/v1/transactions{query}", body)


def _got(path: str) -> Callable[[Newcomer], str]:
    return lambda newcomer: newcomer.ask("GET", f"{newcomer.node.url}{path}")


KEYS_AND_TRANSACTIONS: Final = (
    Mistake(
        "gave --to a key file",
        _to_a_file,
        "--to: 'bob.json' is not a base58 key of 32 bytes",
        "it is a file",
        "whose public key `bigchaindb keys show bob.json` prints",
    ),
    *(
        Mistake(
            f"named a key file that does not exist, in {arguments[0]} {arguments[1]}",
            lambda newcomer, arguments=arguments: newcomer.run(*arguments),  # type: ignore[misc]
            "cannot read the key file `nosuch.json`",
            "No such file or directory",
            "correct the name, or make the file with `bigchaindb keys new --output nosuch.json`",
        )
        for arguments in (
            ("keys", "show", "nosuch.json"),
            ("transactions", "create", "--key-file", "nosuch.json", "--asset", "{}"),
        )
    ),
    Mistake(
        "spent an output twice",
        _spent_twice,
        "Invalid transaction (DoubleSpend): input `",
        "was already spent; an output can be spent once",
        "/api/v1/outputs?public_key=KEY&spent=false lists what is left",
    ),
    Mistake(
        "asked for an unknown transaction",
        lambda newcomer: _with_keys(newcomer, "show", UNKNOWN),
        "answered 404: Not found",
        f"no block of that node's ledger holds the transaction {UNKNOWN}",
        f"/api/v1/statuses?transaction_id={UNKNOWN}",
    ),
    Mistake(
        "asked for an id that is malformed",
        lambda newcomer: _with_keys(newcomer, "show", "abc"),
        "ID: 'abc' is not the id of a transaction",
        "which has 64 digits of lower-case hex",
        "take it from the output of `transactions create`",
    ),
    Mistake(
        "asked for the event of an unknown transaction",
        lambda newcomer: newcomer.run("-c", str(newcomer.node.configuration), "events", "show", UNKNOWN),
        "no block of the ledger in `",
        "it may be pending, rejected, or of another ledger",
        "-c names another node's configuration",
    ),
    Mistake(
        "wrote new keys over a file",
        _over_a_key,
        "cannot write `alice.json`: File exists",
        "a key that is written over is lost",
        "name another file, or move that one away",
    ),
    Mistake(
        "used a command while the node was down, or forgot -c",
        _with_nobody_there,
        "cannot ask http://127.0.0.1:",
        "is the node running, and is that its address? "  # behind how long a busy machine has tried
        "The address is server.bind, from `node.json`",
        "start that node, or name another with -c or --node URL",
    ),
    Mistake(
        "asked for events without a ledger",
        lambda newcomer: newcomer.run("events", "tail"),
        "there is no ledger in `",
        "(database.path, the default, as `",
        "name a node's configuration with -c, or make one with `bigchaindb init`",
    ),
)

HTTP: Final = (  # texts that the contract fixes stay as they are
    Mistake(
        "posted garbage",
        _posted(b"garbage"),
        "Failed to decode JSON object: ",
        "invalid character",
        "(byte 0)",
        code=400,
    ),
    Mistake("posted {}", _posted({}), "Invalid transaction ", "(InvalidHash): ", "No transaction id found!", code=400),
    Mistake(
        "posted with a wrong mode",
        _posted({}, "?mode=nope"),
        '"mode"',
        "Mode must be ",
        '\\"async\\", \\"sync\\" or \\"commit\\"',
        code=400,
    ),
    Mistake(
        "came back with a wrong token",
        _got("/api/v1/events?after=1.abc"),
        "'1.abc' is no token",
        "a token is '1.' and 38 characters that a node gave out",
        "take `next` of a page of events",
        code=400,
    ),
    Mistake(
        "asked for /api/v1/transaction",
        _got("/api/v1/transaction"),
        "Not found",
        "; did you mean ",
        "/api/v1/transactions",
        code=404,
    ),
    Mistake(
        "asked for a stream on the HTTP port",
        _got("/api/v1/streams/valid_transactions"),
        "Not found",
        "; did you mean ws://127.0.0.1:",
        "/api/v1/streams/valid_transactions",
        code=404,
    ),
)

SQL: Final = (
    Mistake(
        "asked by SQL before the plugin was enabled",
        lambda newcomer: newcomer.run("sql", "SELECT 1"),
        "no plugin that writes tables is enabled by `",
        "; run `bigchaindb plugins enable sqlite --start genesis --options ",
        "or pass --file",
    ),
    Mistake(
        "gave sql a time that is no number",
        lambda newcomer: newcomer.run("sql", "--timeout", "nan", "SELECT 1"),
        "Invalid value for '--timeout'",
        "must be a number above 0",
        "and at most 86400 seconds, found 'nan'",
        code=2,
    ),
)

MISTAKES: Final = (*KEYS_AND_TRANSACTIONS, *HTTP, *SQL)
