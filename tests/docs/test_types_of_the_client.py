"""Applications as these pages write them pass a strict type check against the installed package."""

from pathlib import Path

from tests.docs.test_types_of_plugins import check
from tests.support.installation import Installation
from tests.support.pages import ROOT, examples

PAGES = [ROOT / "docs/how-to" / name for name in ("write-an-application.md",)]


def test_applications_pass_a_strict_type_check(author: Installation, tmp_path: Path) -> None:
    texts = {example.file: example.text for page in PAGES for example in examples(page) if example.file is not None}
    assert len(texts) >= 5
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    checked = check(author, tmp_path)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_mistakes_in_an_application_are_found(author: Installation, tmp_path: Path) -> None:
    (tmp_path / "mistaken.py").write_text("""\
from bigchaindb.client import AsyncClient, Client

with Client("http://localhost:9984", keys="x") as ledger:
    ledger.create("alice", {"n": 1})
    for event in ledger.events(granularity="asset"):
        print(event.transaction["input"], event.tokens)


async def main(client: AsyncClient) -> None:
    made = client.create(1, {})
    async with client.subscription("billing", grain="block") as events:
        async for event in events:
            await event.ack()
""")
    checked = check(author, tmp_path)
    for error in (
        'Unexpected keyword argument "keys"',
        'Argument 1 has incompatible type "str"; expected "KeyPair',
        'Argument "granularity" has incompatible type',
        'TypedDict "Transaction" has no key "input"',
        '"LogEvent" has no attribute "tokens"',
        'Unexpected keyword argument "grain"',
        '"ack" of "SubscriptionEvent" does not return a value',
    ):
        assert error in checked.stdout, checked.stdout
