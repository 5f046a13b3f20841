"""A proxy that ends TLS and serves a node below a path, as an operator's own may."""

import http.client
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Final

from tests.support.tls import Pair

PREFIX: Final = "/ledger"
PIECE_BYTES: Final = 65_536


@contextmanager
def below_a_path(upstream: str, certificate: Pair) -> Iterator[str]:
    """Serve the node at `host:port` below `PREFIX`; yield the address, which ends in a slash."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not self.path.startswith(f"{PREFIX}/"):
                self.send_error(404)
                return
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            kept = {name: value for name, value in self.headers.items() if name.lower() not in {"host", "connection"}}
            asked = http.client.HTTPConnection(upstream)
            asked.request(self.command, self.path.removeprefix(PREFIX), body or None, kept)
            answer = asked.getresponse()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in {"transfer-encoding", "connection", "date", "server"}:
                    self.send_header(name, value)
            self.send_header("Connection", "close")  # where it ends tells how long the body is
            self.end_headers()
            try:
                while piece := answer.read1(PIECE_BYTES):
                    self.wfile.write(piece)
            except OSError:  # the browser has left a stream
                pass
            finally:
                asked.close()

        do_POST = do_GET  # noqa: N815 - as in http.server

        def log_message(self, *_: object) -> None:
            """Keep the test's output readable."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.certificate, certificate.key)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        server.daemon_threads = True
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"https://localhost:{server.server_port}{PREFIX}/"
        server.shutdown()
