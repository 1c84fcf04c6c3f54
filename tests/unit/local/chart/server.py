import http.server
import os
import sys
import time


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = " ".join(os.environ[name] for name in ("TRACK", "COLOUR", "GREETING")).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if os.environ["GREETING"] == "crash":
    sys.exit("no greeting for me")
if os.environ["GREETING"] == "hang":
    time.sleep(60)
print("serving", flush=True)
http.server.ThreadingHTTPServer((os.environ["HOST"], 8080), Handler).serve_forever()
