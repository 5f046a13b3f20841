"""The one stream of a tab: nothing twice, nothing missing, whatever happens to the node under it."""

import http.client
import json
import os
import shutil
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from bigchaindb.transaction import build
from tests.conftest import StartNode
from tests.support import scale
from tests.support.browsers import RETRY_S_MAX, SILENCE_S, Browser, Tab
from tests.support.chains import ALICE
from tests.support.node import Node
from tests.support.waiting import until

HEIGHTS: Final = (
    "[...document.querySelectorAll('main a.open')].map((one) => Number(one.textContent.replaceAll(',', '')))"
)
HIDE: Final = """(hidden) => {
  Object.defineProperty(document, 'hidden', { configurable: true, value: hidden });
  document.dispatchEvent(new Event('visibilitychange'));
}"""
VERSION: Final = """
window.versions = { now: '1.0', asked: 0 };
const real = window.fetch;
window.fetch = async (url, options) => {
  if (url !== './') return real(url, options);
  window.versions.asked += 1;
  return Response.json({ version: window.versions.now });
};
"""
FLOOD: Final = """
const count = COUNT, real = window.fetch;
const summary = (height) => ({ id: `chain:${height}`, type: 'com.bigchaindb.block.summary.v1', source: 'urn:x',
  sequence: String(height).padStart(20, '0'), time: '2026-01-31T12:00:00Z', subject: 'b'.repeat(64),
  data: { height, id: 'b'.repeat(64), timestamp: '1769860800', node_pubkey: 'K'.repeat(44), transaction_count: 3,
    bytes: 4000, reason: null } });
window.fetch = (url, options) => {
  if (options?.headers?.Accept !== 'text/event-stream') return real(url, options);
  let height = 1_000_000;
  return Promise.resolve(new Response(new ReadableStream({ pull: async (controller) => {
    await new Promise((resolve) => setTimeout(resolve));
    let text = '';
    for (let some = 0; some < 500 && window.sent !== count; some += 1) {
      height += 1;
      window.sent = height - 1_000_000;
      text += `id: t${height}\\nevent: e\\ndata: ${JSON.stringify(summary(height))}\\n\\n`;
    }
    if (text) controller.enqueue(new TextEncoder().encode(text));
    else await new Promise(() => {});
  } }), { status: 200 }));
};
"""
HEAP_BYTES_MAX: Final = 60 * 1024 * 1024


def commit(node: Node, count: int = 1) -> None:
    post(node, count, "commit")


def post(node: Node, count: int, mode: str = "async") -> None:
    """Post transactions; only in mode `commit` each has a block when the next one is posted."""
    for _ in range(count):
        assert node.post(build.create([ALICE], data={"tag": os.urandom(8).hex()}).body, mode=mode).status == 202


def wait_until_committed(node: Node, count: int) -> None:
    until(lambda: node.get("statistics").json()["transactions"] == count, what=f"{count} transactions")


@contextmanager
def open_stream(node: Node) -> Iterator[None]:
    """Take one place of those that streams have."""
    connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=60)
    connection.request("GET", "/api/v1/events", headers={"Accept": "text/event-stream"})
    response = connection.getresponse()
    assert response.status == 200
    try:
        yield
    finally:
        response.close()
        connection.close()


def newest_first(node: Node) -> Sequence[int]:
    events = node.get("events", limit=1_000).json()["events"]
    return [event["data"]["height"] for event in reversed(events)]


@contextmanager
def blocks_of(node: Node, browser: Browser) -> Iterator[Tab]:
    """Open the list of blocks and wait until it follows the log."""
    with browser.tab() as tab:
        tab.hold_clock()
        tab.goto(f"{node.url}/#/blocks")
        tab.wait_ready()
        tab.wait_text("live", ".status")
        yield tab


def wait_for_all(tab: Tab, node: Node) -> None:
    """Wait until the page shows each block once, newest first."""
    expected = newest_first(node)
    tab.wait(f"JSON.stringify({HEIGHTS}) === JSON.stringify({expected})", f"blocks {expected}")


def test_each_block_is_shown_once_and_in_order_over_kills(start_node: StartNode, browser: Browser) -> None:
    node = start_node()
    commit(node)
    with blocks_of(node, browser) as tab:
        for _ in range(scale.PAGE_KILLS):
            commit(node, 2)
            node.kill()
            tab.wait_text("No answer since", ".bar")
            tab.call("click", "text=Try now")
            node.start()
            tab.pass_s(RETRY_S_MAX)
            commit(node)
            tab.wait_text("live", ".status")
            wait_for_all(tab, node)
        tab.wait("!document.querySelector('.bar:not([hidden])')", "no bar")


def test_a_node_that_is_stopped_is_noticed(start_node: StartNode, browser: Browser) -> None:
    """Its connections stay open, so nothing ends the stream: silence makes the page ask."""
    node = start_node()
    commit(node)
    with blocks_of(node, browser) as tab:
        assert node.process
        os.killpg(node.process.pid, signal.SIGSTOP)
        try:
            tab.pass_s(SILENCE_S)
            tab.wait_text("No answer since", ".bar")
        finally:
            os.killpg(node.process.pid, signal.SIGCONT)
        tab.pass_s(RETRY_S_MAX)
        tab.wait_text("live", ".status")
        commit(node)
        wait_for_all(tab, node)


def test_a_screen_that_cannot_be_fetched_says_so(start_node: StartNode, browser: Browser) -> None:
    """Its module comes from the node, which may be stopped, or have another version of the page by now."""
    node = start_node()
    commit(node)
    with blocks_of(node, browser) as tab:
        node.kill()
        tab.evaluate("location.hash = '/network'")
        tab.wait_text("A part of the page did not come", "main")
        node.start()
        tab.call("click", "text=Try again")
        tab.wait_text("deciding", "main")


def test_lists_are_read_again_when_the_node_has_another_log(start_node: StartNode, browser: Browser) -> None:
    node = start_node()
    commit(node, 3)
    with blocks_of(node, browser) as tab:
        node.kill()
        shutil.rmtree(node.data)
        node.start()
        tab.pass_s(RETRY_S_MAX)
        commit(node)
        tab.wait(f"{HEIGHTS}.length === 1", "the other log's one block")
        tab.wait_text("live", ".status")
        wait_for_all(tab, node)


def test_an_asset_that_comes_leaves_the_older_ones_where_they_are(start_node: StartNode, browser: Browser) -> None:
    """What a person asked for with "Older" must not go because somebody else makes an asset."""
    node = start_node()
    post(node, 60)
    wait_until_committed(node, 60)
    rows = "[...document.querySelectorAll('main tbody a.open')].map((one) => one.hash)"
    with browser.tab() as tab:
        tab.goto(f"{node.url}/#/assets")
        tab.wait(f"{rows}.length === 50", "a first page")
        tab.wait_text("live", ".status")
        tab.call("click", "main .foot >> text=Older")
        tab.wait(f"{rows}.length === 60", "older assets")
        before = tab.evaluate(rows)
        for count in (1, 2):
            commit(node)
            tab.wait(f"{rows}.length === {60 + count}", "the new asset beside the older ones")
            assert tab.evaluate(rows)[count:] == before
        tab.evaluate(HIDE, argument=True)
        post(node, 51)  # more than a page has: the list begins anew
        wait_until_committed(node, 60 + 2 + 51)
        tab.evaluate(HIDE, argument=False)
        tab.wait(f"{rows}.length === 50", "a first page")
        newest = node.get("events", before="now", granularity="transaction", limit=50).json()["events"]
        tab.wait(f"{rows}[0].endsWith('{newest[0]['subject']}')", "the newest asset")
        assert tab.evaluate(rows) == [f"#/assets/{one['subject']}" for one in newest]
        assert tab.said() == []


def test_another_version_of_the_node_offers_a_reload(full_node: Node, browser: Browser) -> None:
    with browser.tab() as tab:
        tab.call("add_init_script", VERSION)
        tab.goto(f"{full_node.url}/#/network")
        tab.wait_text("live", ".status")
        tab.wait("window.versions.asked === 1", "the version to be known")
        for now, is_told in (("1.0", False), ("2.0", True)):
            tab.evaluate("(now) => { window.versions.now = now; }", now)
            asked = tab.evaluate("window.versions.asked")
            tab.evaluate(HIDE, argument=True)
            tab.wait_text("paused", ".status")
            tab.evaluate(HIDE, argument=False)
            tab.wait(f"window.versions.asked === {asked + 1}", "the version to be compared")
            tab.wait_text("live", ".status")
            tab.wait(f"document.querySelector('.bar').hidden !== {str(is_told).lower()}", "a bar, or none")
        tab.wait_text("The node runs version 2.0 now; this page belongs to another one.", ".bar")
        tab.call("click", ".bar >> text=Reload")
        tab.wait("window.versions?.now === '1.0' && document.querySelector('.bar')?.hidden", "the page anew")
        assert tab.said() == []


def test_a_full_server_is_named_and_left_alone(start_node: StartNode, browser: Browser) -> None:
    node = start_node(settings={"limits": {"sse_connection_count_max": 1}})
    commit(node)
    with open_stream(node), browser.tab() as tab:
        tab.goto(f"{node.url}/#/blocks")
        tab.wait_text("sends no events: 1 event streams are open", ".bar")
        tab.wait(f"{HEIGHTS}.length === 1", "the block")
    with blocks_of(node, browser):
        pass


def test_a_key_is_asked_for_used_and_missed_when_it_is_revoked(start_node: StartNode, browser: Browser) -> None:
    node = start_node(settings={"access": {"anonymous": "none"}})
    key = node.new_key("reader", "--scopes", "read write")
    assert node.post(build.create([ALICE], data=None).body, key=key).status == 202
    with browser.tab() as tab:
        tab.goto(f"{node.url}/#/blocks")
        tab.wait_text("This node asks for an access key", "main")
        tab.call("click", "text=Enter an access key")
        tab.call("fill", "dialog input", key)
        tab.call("keyboard.press", "Enter")
        tab.wait_text("live", ".status")
        tab.wait(f"{HEIGHTS}.length === 1", "the block")
        assert key not in tab.evaluate("document.documentElement.outerHTML + location.href + document.cookie")
        (made,) = [one for one in key_ids(node) if one["name"] == "reader"]
        assert node.run("-y", "access", "key", "revoke", made["id"]).returncode == 0
        tab.wait_text("asks for an access key that it knows", ".bar")


def key_ids(node: Node) -> Sequence[Any]:
    listed = node.run("access", "key", "list", "--json")
    return json.loads(listed.stdout)  # type: ignore[no-any-return]


def test_a_hidden_tab_has_no_stream_and_misses_nothing(start_node: StartNode, browser: Browser) -> None:
    node = start_node()
    commit(node)
    with blocks_of(node, browser) as tab:
        tab.evaluate(HIDE, argument=True)
        tab.wait_text("paused", ".status")
        commit(node, 3)
        assert len(tab.evaluate(HEIGHTS)) == 1
        tab.evaluate(HIDE, argument=False)
        wait_for_all(tab, node)


def test_a_flood_is_grouped_and_takes_no_memory(full_node: Node, browser: Browser) -> None:
    with browser.tab() as tab:
        tab.call("add_init_script", FLOOD.replace("COUNT", str(scale.PAGE_FLOOD)))
        tab.goto(f"{full_node.url}/#/blocks")
        tab.wait(f"{HEIGHTS}[0] === {1_000_000 + scale.PAGE_FLOOD}", "the last block of the flood")
        assert tab.evaluate("document.querySelectorAll('tbody tr').length") <= 1_000
        tab.wait_text("more came at the same time", "main")
        assert tab.heap() < HEAP_BYTES_MAX
        assert tab.said() == []


def test_an_injected_script_is_refused(full_node: Node, browser: Browser) -> None:
    with browser.tab() as tab:
        tab.goto(f"{full_node.url}/#/network")
        tab.evaluate(
            """() => {
              window.refused = [];
              addEventListener('securitypolicyviolation', (event) => window.refused.push(event.effectiveDirective));
              try { const script = document.createElement('script'); script.text = 'window.ran = 1';
                document.body.append(script); } catch {}
              try { document.body.innerHTML += '<img src=x onerror="window.ran = 2">'; } catch {}
            }"""
        )
        tab.wait("window.refused.length > 0", "a report of the policy")
        assert set(tab.evaluate("window.refused")) <= {"require-trusted-types-for", "script-src-elem", "script-src"}
        assert tab.evaluate("window.ran") is None
