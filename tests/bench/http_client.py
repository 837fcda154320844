"""A client that costs next to nothing beside the server: one kept connection, one prepared request."""

import socket

import msgspec


class Connection:
    def __init__(self, port):
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self):
        self._socket.close()

    def ask(self, request):
        """Status and body of the answer to `request`, the bytes that `request()` below makes."""
        status, _, body = self.ask_fully(request)
        return status, body

    def ask_fully(self, request):
        """Status, head and body."""
        self._socket.sendall(request)
        data = b""
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._more()
        head = data[:end].lower()
        start = head.index(b"content-length:") + 15
        length = int(head[start:].split(b"\r\n", 1)[0])
        pieces, missing = [data[end + 4 :]], length - (len(data) - end - 4)
        while missing > 0:
            pieces.append(self._more())
            missing -= len(pieces[-1])
        return int(head[9:12]), data[:end], b"".join(pieces)

    def _more(self):
        data = self._socket.recv(1 << 18)
        assert data, "the server has closed the connection"
        return data


def request(method, path, headers=(), body=b""):
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def login_request(password):
    """The admin's login, scoped to the project admin."""
    domain = {"id": "default"}
    user = {"name": "admin", "domain": domain, "password": password}
    auth = {
        "identity": {"methods": ["password"], "password": {"user": user}},
        "scope": {"project": {"name": "admin", "domain": domain}},
    }
    body = msgspec.json.encode({"auth": auth})
    return request("POST", "/identity/v3/auth/tokens", [("Content-Type", "application/json")], body)
