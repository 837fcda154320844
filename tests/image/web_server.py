"""A web server on loopback for tests: what each path answers is set by the test."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class WebServer:
    """`pages` maps a path to bytes, or to a function of the handler. `asked` lists (method, path)."""

    def __init__(self):
        self.pages = {}
        self.asked = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                outer.asked.append((self.command, self.path))
                page = outer.pages.get(self.path)
                if callable(page):
                    page(self)
                elif page is None:
                    self.plain(404, b"")
                else:
                    self.plain(200, page)

            def plain(self, status, body, **headers):
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_HEAD = answer

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


#: What lets the image service reach it.
REACHABLE = {
    ("import_filtering_opts", "allowed_ports"): [],
    ("import_filtering_opts", "allowed_addresses"): ["127.0.0.1/32"],
    ("import_filtering_opts", "timeout"): 10,
}
