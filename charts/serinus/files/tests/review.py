"""A review travels through the gateway in every routed track, and stays on it."""

import os
import urllib.parse

from visitor import hidden_fields, request

HOST = os.environ["FRONTEND_HOST"]

for track in os.environ["TRACKS"].split(","):
    cookies = {"app-version": track}
    answer, page = request("GET", "/", HOST, cookies=cookies)
    if answer.status != 200:
        raise SystemExit(f"{track}: the page answers {answer.status}: {page[:200]}")
    fields = hidden_fields(page, "/reviews") | {"text": "The soup was warm and the staff kind."}
    body = urllib.parse.urlencode(fields)
    answer, page = request("POST", "/reviews", HOST, cookies=cookies, body=body)
    if answer.status != 303:
        raise SystemExit(f"{track}: the review is answered {answer.status}: {page[:200]}")
    hops = answer.headers.get("x-served-by", "")
    wanted = [f"{app}/{track}" for app in ("app-frontend", "app-service", "model-service")]
    if [hop.strip() for hop in hops.split(",")] != wanted:
        raise SystemExit(f"{track}: served by '{hops}', not by {', '.join(wanted)}")
    path = urllib.parse.urlsplit(answer.headers["location"]).path
    answer, page = request("GET", path, HOST, cookies=cookies)
    if answer.status != 200:
        raise SystemExit(f"{track}: {path} answers {answer.status}: {page[:200]}")
    print(f"{track}: {hops}")
