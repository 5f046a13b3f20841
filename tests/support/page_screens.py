"""The page's screens over the shown ledger, and the states that each of them is walked through."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from bigchaindb.transaction import build, parse
from tests.support import shown_ledger
from tests.support.browsers import Rule, Tab
from tests.support.chains import ALICE, BOB


class Screen(NamedTuple):
    """A screen as a person opens it.

    Attributes:
        address: behind `#`.
        request: pattern of the request that decides what is shown.
        full: a text that it shows of the full ledger.
        empty: a text that it shows of an empty one; None: it needs something to show.
        nothing: what the node answers to that request on an empty ledger, or an address that it has nothing for.
    """

    address: str
    request: str
    full: str
    empty: str | None = None
    nothing: dict[str, Any] | str | None = None


LIST: Final = r"/api/v1/events\?.*before=now"
NO_EVENTS: Final = {"events": [], "end": True}
UNKNOWN: Final = "0" * 64
FIRST: Final = parse(build.create([ALICE], data={"name": "the first one"}).body).id
SCREENS: Final = {
    "overview": Screen("/", r"/api/v1/events\?before=now&limit=20", "All blocks", "bigchaindb demo", NO_EVENTS),
    "blocks": Screen("/blocks", LIST, "DoubleSpend", "No block yet", NO_EVENTS),
    "transactions": Screen(
        "/blocks?granularity=transaction", LIST, "TRANSFER", "Nothing matches", f"/blocks?owner={BOB.public_key}"
    ),
    "assets": Screen("/assets", LIST, "the last one", "No asset yet", NO_EVENTS),
    "block": Screen(
        "/blocks/3", "/api/v1/blocks/3/event", "Copy the event", "There is no such block", "/blocks/999999999"
    ),
    "invalid": Screen(
        f"/invalid/{shown_ledger.INVALID}", rf"/api/v1/events/{shown_ledger.INVALID}$", "DuplicateTransaction"
    ),
    "transaction": Screen(
        f"/transactions/{FIRST}",
        rf"/api/v1/transactions/{FIRST}$",
        "The id is the hash of",
        "This node knows no such transaction",
        f"/transactions/{UNKNOWN}",
    ),
    "asset": Screen(
        f"/assets/{FIRST}",
        rf"/api/v1/assets/{FIRST}$",
        "Who holds it",
        "No asset has this id",
        f"/assets/{UNKNOWN}",
    ),
    "owner": Screen(
        f"/owners/{ALICE.public_key}",
        rf"/api/v1/owners/{ALICE.public_key}$",
        "assets held",
        "This key holds nothing.",
        f"/owners/{BOB.public_key}",
    ),
    "rejected": Screen("/rejected", r"/api/v1/rejected\?", "DoubleSpend", "Nothing was rejected", NO_EVENTS),
    "search": Screen(
        "/search?text=green", r"/api/v1/find\?", "Green coffee", "Nothing has this", "/search?text=nobodyhasthisword"
    ),
}
OTHERS: Final = {
    "delivery": Screen("/delivery", r"/api/v1/plugins$", "Nothing follows this log yet"),
    "network": Screen("/network", r"/api/v1/network$", "Validators"),
    "api": Screen("/api", r"/api/v1/openapi\.json", "/api/v1/network"),
}
"""Those that show nothing of the ledger; their own tests walk them on a node alone."""
REFUSALS: Final = {
    "401": (401, "this node serves nobody without an access key", "This node asks for an access key"),
    "403": (403, "the scope `read` is missing", "This key may not see that"),
    "410": (410, "the token is of another chain", "This node has another log than before"),
    "503": (503, "8 streams are open", "The node is busy"),
    "damaged": (
        500,
        "Internal Server Error (StoreDamaged): the data for this answer",
        "data of this answer are damaged",
    ),
    "failed": (500, "Internal Server Error", "The node failed"),
    "silent": (0, "", "The node does not answer"),
}
BLANK: Final = "about:blank"
"""Between two screens: an address that differs behind `#` alone loads nothing anew."""
# A screen that is polled may have an answer before anybody presses: then there is no button any more.
TRY_AGAIN: Final = """[...document.querySelectorAll('main .notice.bad button')]
  .find((one) => one.textContent === 'Try again')?.click()"""


def see_loading(tab: Tab, url: str, screen: Screen) -> None:
    """Open a screen whose answer does not come; there are grey lines."""
    tab.goto(BLANK)
    tab.answer(Rule(screen.request, None))
    tab.goto(f"{url}/#{screen.address}")
    tab.wait("document.querySelector('main .loading')", "grey lines")


def see_refusals(tab: Tab, url: str, screen: Screen, look: Callable[[str], object] = lambda _: None) -> None:
    """Open a screen, which is refused in each way and then answered.

    Each refusal says what happened, in the node's own words, and the button asks again. `look` gets the name of each.
    """
    tab.goto(BLANK)
    for state, (status, message, title) in REFUSALS.items():
        tab.answer(Rule(screen.request, status, {"message": message, "status": status}))
        if state == "401":
            tab.goto(f"{url}/#{screen.address}")
        else:
            tab.evaluate(TRY_AGAIN)
        tab.wait_text(title, "main")
        tab.wait_text(message, "main")
        look(state)
    tab.answer()
    tab.evaluate(TRY_AGAIN)
    tab.wait_text(screen.full, "main")


def see_nothing(tab: Tab, url: str, screen: Screen) -> None:
    """Open a screen that has nothing to show, though others have."""
    tab.goto(BLANK)
    if isinstance(screen.nothing, dict):
        tab.answer(Rule(screen.request, 200, screen.nothing))
    tab.goto(f"{url}/#{screen.nothing if isinstance(screen.nothing, str) else screen.address}")
    tab.wait_text(screen.empty or "", "main")
    tab.answer()
