"""Where `demo` sends a person who wants to see what it made."""

import pytest

from bigchaindb.cli.demo import where_to_look

URL = "http://localhost:9984"


@pytest.mark.parametrize(("configuration", "named_by"), [(None, ""), ("my node.json", " -c 'my node.json'")])
def test_the_commands_name_the_configuration(configuration: str | None, named_by: str) -> None:
    assert where_to_look(URL, "ab", node=None, configuration=configuration).splitlines() == [
        "Look at them:",
        f"  {URL}/#/assets/ab",
        f"  bigchaindb{named_by} transactions show ab",
        f"  bigchaindb{named_by} events tail",
    ]


def test_the_commands_ask_the_node_that_was_filled() -> None:
    """The configuration's own node, or none, would answer otherwise; `events` reads files."""
    assert where_to_look("https://far", "ab", node="https://far/api/v1", configuration=None).splitlines() == [
        "Look at them:",
        "  https://far/#/assets/ab",
        "  bigchaindb transactions show ab --node https://far/api/v1",
    ]
