"""The table of `plugins list`."""

from bigchaindb.cli.plugin_lists import NEVER_RAN, _cells


def test_a_plugin_s_warning_is_listed_where_it_has_no_error() -> None:
    """`plugins list` is where people look first; a plugin may do the wrong thing without failing."""
    row = {"name": "sales", "kind": "plugin", "package": "sales 1", "enabled": True, **NEVER_RAN}
    row["warning"] = "run returned 3 times"
    assert _cells(row)[-1] == "run returned 3 times"
    failing = row | {"last_error": "ValueError: no", "last_error_at": None}
    assert _cells(failing)[-1] == "ValueError: no"
