"""What the Helm tests share: one HTTP request, to the gateway or to a pod."""

import http.client
import os
import re
import ssl


def request(method, path, host, *, cookies=None, body=None, target=None, port=None):
    """One request; `target` is the address dialled, `host` the name asked for."""
    tls = target is None and os.environ["TLS"] == "true"
    target = target or os.environ["GATEWAY"]
    connection = http.client.HTTPConnection(target, port or int(os.environ["PORT"]), timeout=30)
    connection.connect()
    if tls:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection.sock = context.wrap_socket(connection.sock, server_hostname=host)
    headers = {"host": host, "user-agent": "serinus-helm-test"}
    if cookies:
        headers["cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
    if body is not None:
        headers["content-type"] = "application/x-www-form-urlencoded"
        headers["origin"] = f"{'https' if tls else 'http'}://{host}"
    connection.request(method, path, body=body, headers=headers)
    answer = connection.getresponse()
    text = answer.read().decode("utf-8", "replace")
    if cookies is not None:
        for line in answer.headers.get_all("set-cookie") or []:
            name, _, value = line.split(";")[0].partition("=")
            cookies.setdefault(name.strip(), value)
    return answer, text


def hidden_fields(page, action):
    """The hidden inputs of the form that posts to `action`."""
    form = re.search(rf'<form[^>]*action="{re.escape(action)}"[^>]*>(.*?)</form>', page, re.S)
    if form is None:
        raise SystemExit(f"the page has no form for {action}")
    fields = {}
    for tag in re.findall(r"<input[^>]*>", form[1]):
        attributes = dict(re.findall(r'([a-z-]+)="([^"]*)"', tag))
        if attributes.get("type") == "hidden":
            fields[attributes["name"]] = attributes.get("value", "")
    return fields
