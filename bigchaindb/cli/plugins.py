"""The group `plugins`."""

import click

from bigchaindb.cli.lazy import LazyGroup


@click.group(
    cls=LazyGroup,
    places={
        "list": (
            "plugin_lists:list_plugins",
            "List the plugins that are installed, are enabled or have run, and the subscriptions.",
        ),
        "status": (
            "plugin_lists:status",
            "Print the lane of the plugin NAME: its state, its cursor and its events in hand.",
        ),
        "parked": (
            "plugin_lists:parked",
            "List the parked events of the plugin NAME: those that it failed on and that were set aside.",
        ),
        "install": ("installing:install", "Install packages of plugins into the environment of this node."),
        "uninstall": ("installing:uninstall", "Uninstall packages of plugins from the environment of this node."),
        "new": ("new_plugin:new", "Write a package for the plugin NAME into DIRECTORY, ./NAME by default."),
        "check": (
            "enabling:check",
            "Find, import and configure the plugin NAME in a process of its own, and print what it asks for.",
        ),
        "enable": ("enabling:enable", "Enable the plugin NAME: the node runs it from now on."),
        "disable": ("enabling:disable", "Disable the plugin NAME: the node ends it and does not start it again."),
        "forget": ("plugin_orders:forget", "Delete the cursor and the parked events of the plugin NAME."),
        "pause": ("plugin_orders:pause", "Stop delivering events to the plugin NAME."),
        "resume": (
            "plugin_orders:resume",
            "Continue the plugin NAME at its cursor: after a pause, or instead of waiting for its next attempt.",
        ),
        "restart": ("plugin_orders:restart", "Restart the plugin NAME with the package that is installed now."),
        "seek": ("plugin_orders:seek", "Move the cursor of the plugin NAME to WHERE."),
        "retry": ("plugin_orders:retry", "Deliver parked events to the plugin NAME again, before any other."),
        "discard": (
            "plugin_orders:discard",
            "Never deliver these events to the plugin NAME: parked ones, or the one that blocks it.",
        ),
    },
)
def plugins() -> None:
    """List, enable and control event plugins.

    A plugin is an installed package. Its lane is its way through the event log: its cursor, its state and its parked
    events. All commands but `restart` work whether the node runs or not.
    """
