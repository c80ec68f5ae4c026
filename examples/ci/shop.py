"""The shop: says what is in stock, and which pod says so."""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Shop(BaseHTTPRequestHandler):
    """Answers every GET."""

    def do_GET(self):
        """Tell the stock."""
        body = json.dumps({"apples": 3, "pod": os.environ["HOSTNAME"]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


ThreadingHTTPServer(("", 8080), Shop).serve_forever()
