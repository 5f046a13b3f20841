"""Clients that follow the log from within the node: the WebSocket stream and Server-Sent Events; CloudEvents for pages.

A client is a place in the log. Whoever adds another kind of client reads through `shared_log` and adds only how its
pieces look and how they are sent. Nothing here knows a route, a plugin or an engine.
"""
