"""A web session that looks at the address it has reached before it sends anything.

A name is resolved when it is connected to, and may then lead elsewhere than when it was last asked about. So what counts is
the other end of the socket: whoever set out to a public address is not led to a private one, by a redirect or by a name
that changes its answer. TLS still checks the certificate against the name.
"""

import ipaddress
import socket
from typing import Any

from requests import Session
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from gallery.errors import PassageError

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """Tell whether an IP address is one of the public internet; an IPv4 address within an IPv6 one is looked at by itself."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (ipaddress.IPv4Address(int(found) & 0xFFFFFFFF) if found in _NAT64 else None)
        found = inner or found
    return found.is_global and not found.is_multicast


class Peers:
    """What one download has connected to: where it began decides where it may go."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.public: bool | None = None
        """Whether the first address was public; None before there was one."""

    def look(self, peer: socket.socket, host: str) -> socket.socket:
        """Return a connected socket, unless it leads from a public address to a private one.

        Raises PassageError.
        """
        public = is_public(str(peer.getpeername()[0]))
        if self.public and not public:
            peer.close()
            raise led_to(host, self._url)
        self.public = public if self.public is None else self.public
        return peer

    def session(self) -> Session:
        """Return a session of requests whose connections are looked at; where a proxy is set, the proxy resolves names and connects."""
        session = Session()
        for start in ("http://", "https://"):
            session.mount(start, _Adapter(self))
        return session


def led_to(host: str, url: str) -> PassageError:
    """Return the error for an address that sends one on to a private one."""
    return PassageError(f"{url}: sends on to {host}, a private address. It is not followed; correct url.")


class _Adapter(HTTPAdapter):
    def __init__(self, peers: Peers) -> None:
        self._peers = peers
        super().__init__()

    def init_poolmanager(self, *sizes: Any, **options: Any) -> None:
        super().init_poolmanager(*sizes, **options)
        plain = type("Plain", (_Looking, HTTPConnection), {"peers": self._peers})
        secure = type("Secure", (_Looking, HTTPSConnection), {"peers": self._peers})
        self.poolmanager.pool_classes_by_scheme = {
            "http": type("PlainPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
            "https": type("SecurePool", (HTTPSConnectionPool,), {"ConnectionCls": secure}),
        }


class _Looking(HTTPConnection):
    """A connection whose other end is looked at before the first byte, that of TLS included."""

    peers: Peers

    def _new_conn(self) -> socket.socket:
        return self.peers.look(super()._new_conn(), self.host)
