"""WebSocket frames by hand, for what no client library sends."""


def frame(opcode: int, payload: bytes, *, is_masked: bool = True) -> bytes:
    """Return a final frame; its mask is zero, so that the payload stays readable."""
    size = len(payload)
    if size < 126:
        length, extended = size, b""
    elif size < 2**16:
        length, extended = 126, size.to_bytes(2, "big")
    else:
        length, extended = 127, size.to_bytes(8, "big")
    mask = bytes(4) if is_masked else b""
    return bytes((0x80 | opcode, (0x80 if is_masked else 0) | length)) + extended + mask + payload
