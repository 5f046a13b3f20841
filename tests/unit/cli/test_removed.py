"""Commands that are gone say why. Source: docs/reference/contract/configuration-and-cli.md, section 4."""

import pytest
from click.testing import CliRunner

from bigchaindb.cli import commands
from bigchaindb.errors import ConfigurationError

CALLS = [
    ("set-shards 3", "MongoDB"),
    ("set-replicas 3", "MongoDB"),
    ("add-replicas a:1 b:2", "MongoDB"),
    ("remove-replicas a:1", "MongoDB"),
    ("tendermint-version", "no Tendermint"),
]


@pytest.mark.parametrize(("call", "said"), CALLS)
def test_a_command_that_is_gone_says_why(call: str, said: str) -> None:
    result = CliRunner().invoke(commands, call.split())
    assert isinstance(result.exception, ConfigurationError)
    assert said in str(result.exception)
    assert str(result.exception).startswith(call.split(maxsplit=1)[0])


def test_they_are_not_in_the_help() -> None:
    assert "set-shards" not in CliRunner().invoke(commands, ["--help"]).output
