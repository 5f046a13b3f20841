"""What sinks and the authors of plugins need to pass events on to other systems.

One form of message with its envelope and routing key, options that are read once, and ways through a queue that keep
many messages on their way. The sinks of this package use nothing else, besides `bigchaindb.events`.
"""

from bigchaindb.delivery.by_key import forward_by_key
from bigchaindb.delivery.messages import (
    BLOCK_TYPES,
    TRANSACTION_TYPE,
    Message,
    Per,
    block_message,
    messages_of,
    transaction_message,
    transaction_messages,
)
from bigchaindb.delivery.naming import Naming
from bigchaindb.delivery.options import Options, ShapedOptions, read_options, scheme_found
from bigchaindb.delivery.passing import WINDOW_BYTES_MAX, WINDOW_COUNT_MAX, batches, forward
from bigchaindb.delivery.shape import Format, Rendered, Shape

__all__ = [
    "BLOCK_TYPES",
    "TRANSACTION_TYPE",
    "WINDOW_BYTES_MAX",
    "WINDOW_COUNT_MAX",
    "Format",
    "Message",
    "Naming",
    "Options",
    "Per",
    "Rendered",
    "Shape",
    "ShapedOptions",
    "batches",
    "block_message",
    "forward",
    "forward_by_key",
    "messages_of",
    "read_options",
    "scheme_found",
    "transaction_message",
    "transaction_messages",
]
