"""A proof is checked in the browser, against what its reader chose to trust."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from bigchaindb.api.validators import document
from bigchaindb.ledger.proofs.trusted import read_trust
from bigchaindb.ledger.proofs.verifying import verify
from tests.support import shown_ledger
from tests.support.browsers import Browser, Rule, Tab
from tests.support.node import Node
from tests.support.proofs import PROOFS, set_of

VERDICT: Final = "dialog .verdict"
CHECK: Final = "dialog >> text=Check proof"
NO_CRYPTO: Final = "Object.defineProperty(crypto, 'subtle', { value: undefined })"
"""As on every page that comes over http from another name than localhost."""

KEEP: Final = """() => {
  const make = URL.createObjectURL;
  URL.createObjectURL = (blob) => { window.saved = blob; return make.call(URL, blob); };
}"""


@pytest.fixture
def tab(browser: Browser) -> Iterator[Tab]:
    with browser.tab(accept_downloads=True) as opened:
        yield opened
        assert opened.said() == []


def open_dialog(tab: Tab, address: str) -> None:
    tab.goto(address)
    tab.call("click", "main >> text=Check proof")


def trusting(tab: Tab, file: Path) -> None:
    tab.call("set_input_files", "dialog input[type=file]", str(file))
    tab.call("click", CHECK)


def test_a_valid_block_is_proven_by_the_validators_of_the_node(full_node: Node, tab: Tab) -> None:
    open_dialog(tab, f"{full_node.url}/#/blocks/5")
    tab.call("click", CHECK)
    tab.wait_text("Proven: the block was decided valid.", VERDICT)
    tab.wait_text("The validators that this node names now", VERDICT)
    tab.wait_text("trusted validators with power 1 of 1", VERDICT)
    assert tab.violations() == []
    tab.call("keyboard.press", "Escape")
    tab.wait("!document.querySelector('dialog')", "a closed dialog")


def test_an_invalid_block_is_proven_with_its_reason(full_node: Node, tab: Tab) -> None:
    open_dialog(tab, f"{full_node.url}/#/invalid/{shown_ledger.INVALID}")
    tab.call("click", CHECK)
    tab.wait_text("Proven: the block was decided invalid.", VERDICT)
    tab.wait_text("DuplicateTransaction at transactions[0]", VERDICT)


def test_the_reader_chooses_whom_to_trust(full_node: Node, tab: Tab, tmp_path: Path) -> None:
    """The verdict repeats it, so that a picture of it says what it is worth."""
    mine, others = tmp_path / "mine.json", tmp_path / "others.json"
    mine.write_bytes(full_node.get("validators").body)
    others.write_text(json.dumps(document(set_of())))
    open_dialog(tab, f"{full_node.url}/#/blocks/5")
    tab.call("check", "dialog input[value=file]")
    tab.call("click", CHECK)
    tab.wait_text("No file is chosen", VERDICT)
    trusting(tab, others)
    tab.wait_text("Not proven.", VERDICT)
    tab.wait_text("power: 0 of the 27 that are trusted signed it", VERDICT)
    tab.wait_text("My file others.json", VERDICT)
    trusting(tab, mine)
    tab.wait_text("Proven: the block was decided valid.", VERDICT)
    tab.wait_text("My file mine.json", VERDICT)
    mine.write_text("no JSON")
    trusting(tab, mine)
    tab.wait_text("Not proven.", VERDICT)
    mine.unlink()
    tab.call("click", CHECK)
    tab.wait_text("The check did not end", VERDICT)
    trusting(tab, others)
    tab.wait_text("Not proven.", VERDICT)


def test_a_proof_of_another_block_or_altered_is_refused(full_node: Node, tab: Tab) -> None:
    """The node sends whatever it likes; a right proof of something else proves nothing here."""
    other = full_node.get("blocks/4/proof").body.decode()
    tab.answer(Rule(r"/api/v1/blocks/5/proof", 200, other))
    open_dialog(tab, f"{full_node.url}/#/blocks/5")
    tab.call("click", CHECK)
    tab.wait_text("Not proven.", VERDICT)
    tab.wait_text("The proof is of another block", VERDICT)
    altered = full_node.get("blocks/5/proof").body.decode().replace('"version":"2.0"', '"version":"2.1"')
    for answer, words in ((altered, "event.id"), ("{", "JSON is malformed")):
        tab.answer(Rule(r"/api/v1/blocks/5/proof", 200, answer))
        tab.call("click", CHECK)
        tab.wait_text(words, VERDICT)
    tab.answer(Rule(r"/api/v1/blocks/5/proof", 503, {"message": "a bound is reached", "status": 503}))
    tab.call("click", CHECK)
    tab.wait_text("The node is busy", VERDICT)


def test_a_proof_is_saved_as_the_bytes_that_came(full_node: Node, tab: Tab) -> None:
    """A number that is read and written again may have other digits, and then proves nothing."""
    tab.goto(f"{full_node.url}/#/blocks/5")
    tab.wait_text("Download proof", "main")
    tab.evaluate(KEEP)
    tab.call("click", "main >> text=Download proof")
    tab.wait("Boolean(window.saved)", "a file")
    saved = bytes(tab.evaluate("async () => [...new Uint8Array(await window.saved.arrayBuffer())]"))
    assert saved == full_node.get("blocks/5/proof").body
    assert verify(saved, read_trust(full_node.get("validators").body)).kind == "node"


def test_without_web_crypto_the_page_says_why_and_names_the_command(full_node: Node, tab: Tab) -> None:
    tab.goto(f"{full_node.url}/#/blocks/5")
    tab.wait_text("Check proof", "main")
    tab.evaluate(NO_CRYPTO)
    tab.call("click", "main >> text=Check proof")
    tab.wait_text("Browsers offer Ed25519 on https and on localhost only", VERDICT)
    assert not tab.evaluate("document.querySelector('dialog fieldset, dialog .primary')")
    assert "bigchaindb verify proof.json --validators validators.json" in tab.text("dialog")
    assert "Download proof" in tab.text("dialog")
    assert tab.violations() == []


def test_proofs_of_networks_are_checked_in_a_browser_too(full_node: Node, tab: Tab, tmp_path: Path) -> None:
    """What Node's Web Crypto takes, the browser's takes."""
    block = json.loads(full_node.get("blocks/5/event").body)
    for kind in ("commit", "commit-2", "rejection", "bare rejection"):
        proof, trust = PROOFS[kind]
        block["event"]["data"]["id"] = json.loads(proof)["event"]["id"]
        file = tmp_path / f"{kind}.json"
        file.write_text(json.dumps(document(trust.validators)))
        tab.answer(
            Rule(r"/api/v1/blocks/5/event", 200, block),
            Rule(r"/proof$", 200, proof.decode()),
        )
        open_dialog(tab, f"{full_node.url}/#/blocks/5")
        trusting(tab, file)
        tab.wait_text("Proven: the block was decided", VERDICT)
        tab.wait_text("proven", VERDICT)
