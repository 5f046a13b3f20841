"""The cost of one full check of a transaction, beside the part that cannot be saved: libsodium's verify."""

from collections import deque
from collections.abc import Sequence
from typing import Final

from nacl.bindings import crypto_sign_open

from bench.documents import Documents
from bench.measure import Scale, alternate, median, thread_us_each
from bench.report import Figure, ratio_at_most
from bigchaindb.ledger.rules import validate
from bigchaindb.ledger.view import LoadedView, Overlay
from bigchaindb.transaction import parse, verify
from bigchaindb.transaction.model import Transaction

COUNT: Final = 6_000
BATCH_SIZE: Final = 128
"""Documents that one thread of the node checks at a time."""


def run(scale: Scale) -> list[Figure]:
    """Measure in one thread, by its CPU time, over CREATEs and the TRANSFERs of them."""
    bodies = [document.body for document in Documents().pairs(scale.count(COUNT))]
    parsed = [parse(body) for body in bodies]
    signed = [
        (signature + input_.message, key)
        for transaction in parsed
        for input_ in transaction.inputs
        for key, signature in input_.fulfillment.signatures
    ]
    batches = [bodies[start : start + BATCH_SIZE] for start in range(0, len(bodies), BATCH_SIZE)]
    runs = [
        lambda: thread_us_each(lambda: deque((crypto_sign_open(text, key) for text, key in signed), 0), len(signed)),
        lambda: thread_us_each(lambda: deque(map(check_all, batches), 0), len(bodies)),
        lambda: thread_us_each(lambda: deque(map(parse, bodies), 0), len(bodies)),
        lambda: thread_us_each(lambda: deque(map(verify, parsed), 0), len(bodies)),
        lambda: thread_us_each(lambda: judge_all(parsed), len(bodies)),
    ]
    bare, whole, parsing, verifying, judging = (median(found) for found in alternate(scale.rounds, runs))
    return [
        Figure(
            what="full validation of a transaction, one core",
            value=whole,
            unit="µs",
            peer=bare,
            peer_name="µs: libsodium verify alone",
            limit=ratio_at_most(1.5),
        ),
        Figure(what="- parse (T0 to T7)", value=parsing, unit="µs"),
        Figure(what="- verify", value=verifying, unit="µs"),
        Figure(what="- rules of state (T8 to T16)", value=judging, unit="µs"),
        Figure(what="full validations a second, one core", value=1e6 / whole, unit="/s"),
    ]


def check_all(bodies: Sequence[bytes]) -> None:
    """Validate documents from bytes, each after those before it."""
    overlay = Overlay(LoadedView(0, frozenset(), {}))
    for body in bodies:
        transaction = parse(body)
        validate(transaction, overlay, signatures_valid=verify(transaction))
        overlay.add(transaction)


def judge_all(transactions: Sequence[Transaction]) -> None:
    """Judge parsed transactions, each after those before it."""
    overlay = Overlay(LoadedView(0, frozenset(), {}))
    for transaction in transactions:
        validate(transaction, overlay, signatures_valid=True)
        overlay.add(transaction)
