"""A web session that checks the address of each connection before it sends anything.

A name can resolve to another address each time. So the check is made on the connected socket: a download that began at a public
address never reaches a private one, neither by a redirect nor by a name that changes its answer. TLS still checks the certificate
against the name.
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
    """Tell whether an IP address belongs to the public internet; for an IPv6 address that contains an IPv4 address, the latter decides."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address):
        inner = parsed.ipv4_mapped or parsed.sixtofour or (ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF) if parsed in _NAT64 else None)
        parsed = inner or parsed
    return parsed.is_global and not parsed.is_multicast


class Peers:
    """The connections of a download: if the first was public, the others must be."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.public: bool | None = None
        """Whether the first address was public; None before the first connection."""

    def check(self, peer: socket.socket, host: str) -> socket.socket:
        """Return a connected socket; raise PassageError if it leads from a public address to a private one."""
        public = is_public(str(peer.getpeername()[0]))
        if self.public and not public:
            peer.close()
            raise private_address(host, self._url)
        self.public = public if self.public is None else self.public
        return peer

    def session(self) -> Session:
        """Return a session of requests whose connections are checked; where a proxy is set, the proxy resolves names and connects."""
        session = Session()
        for start in ("http://", "https://"):
            session.mount(start, _Adapter(self))
        return session


def private_address(host: str, url: str) -> PassageError:
    """Return the error for an address that redirects to a private one."""
    return PassageError(f"{url}: sends on to {host}, a private address. It is not followed; correct url.")


class _Adapter(HTTPAdapter):
    def __init__(self, peers: Peers) -> None:
        self._peers = peers
        super().__init__()

    def init_poolmanager(self, *sizes: Any, **options: Any) -> None:
        super().init_poolmanager(*sizes, **options)
        plain = type("Plain", (_CheckedConnection, HTTPConnection), {"peers": self._peers})
        secure = type("Secure", (_CheckedConnection, HTTPSConnection), {"peers": self._peers})
        self.poolmanager.pool_classes_by_scheme = {
            "http": type("PlainPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
            "https": type("SecurePool", (HTTPSConnectionPool,), {"ConnectionCls": secure}),
        }


class _CheckedConnection(HTTPConnection):
    """A connection whose address is checked before its first byte, before TLS too."""

    peers: Peers

    def _new_conn(self) -> socket.socket:
        return self.peers.check(super()._new_conn(), self.host)
