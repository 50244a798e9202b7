"""Where a server is."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from pipelines.errors import UserError

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Address:
    """A server's address; made by `parse_address`.

    Attributes:
        host: A name or an IP address, without brackets.
        port: From 1 to 65535.
        encrypted: Whether to speak TLS.
        path: What comes before `/v1`, where a proxy adds something; otherwise empty.
    """

    host: str
    port: int
    encrypted: bool = False
    path: str = ""

    @property
    def host_and_port(self) -> str:
        """`HOST:PORT`, an IPv6 host in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(server: str) -> Address:
    """Read a server's address.

    Args:
        server: `HOST:PORT`, or a URL beginning with http:// or https://.

    Raises:
        UserError: If it is neither.
    """
    try:
        parts = urlsplit(server if "://" in server else f"//{server}")
        host = (parts.hostname or "").encode("idna").decode("ascii")
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        host, port = "", 0
    if not host or not port or parts.scheme not in ("", *_PORTS) or parts.query or parts.username:
        raise UserError(
            f"server {server!r}: not an address; give HOST:PORT, such as localhost:8501, or an http(s) URL"
        )
    return Address(host, port, parts.scheme == "https", quote(parts.path.rstrip("/"), safe="/%"))
