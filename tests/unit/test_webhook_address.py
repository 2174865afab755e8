"""Where webhooks may go: attempts to reach the inside of a network through one (SSRF)."""

import socket
from typing import Any

import pytest
import urllib3.util.connection

from lambdas.adapters.receiver import Sender
from lambdas.domain.errors import InvalidRequest
from lambdas.domain.webhook_address import LONGEST_URL, allowed_address, receiver

PUBLIC = "93.184.216.34"

# Refused where they are given.
WRONG_URLS = [
    # schemes and forms
    "http://example.com/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://example.com:70/_",
    "data:text/plain,x",
    "javascript:alert(1)",
    "//example.com/",
    "example.com",
    "https:example.com",
    "https:/example.com",
    "https:\\\\example.com",
    "https://",
    "https:///path",
    "https://?query",
    "",
    f"https://example.com/{'a' * LONGEST_URL}",
    # users, fragments, ports
    "https://user@example.com/",
    "https://user:password@example.com/",
    "https://@example.com/",
    "https://:@example.com/",
    "https://example.com@127.0.0.1/",
    "https://example.com#@127.0.0.1/",
    "https://example.com/#fragment",
    "https://example.com/#",
    "https://example.com:0/",
    "https://example.com:99999/",
    "https://example.com:port/",
    # characters that another parser reads differently
    "https://example.com/\r\nHost: 127.0.0.1",
    "https://exam\nple.com/",
    "https://exam\tple.com/",
    "https://example.com/a b",
    " https://example.com/",
    "https://example.com\\@127.0.0.1/",
    "https://example.com/\x00",
    "https://127.0.0.1\u3002example.com/\u202e",
    "https://localhost%00.example.com/",
    # labels
    "https://example..com/",
    "https://.example.com/",
    "https://./",
    f"https://{'a' * 64}.com/",
    f"https://{'a.' * 130}com/",
    "https://xn--a/",
    # names of the inside
    "https://localhost/",
    "https://LOCALHOST./",
    "https://web.localhost/",
    "https://intranet/",
    "https://printer.local/",
    "https://metadata.google.internal/",
    "https://ip-10-0-0-1.eu-west-1.compute.internal/",
    "https://nas.home.arpa/",
    # IPv4 in every notation
    "https://127.0.0.1/",
    "https://127.0.0.1./",
    "https://127.1/",
    "https://127.0.1/",
    "https://0x7f.1/",
    "https://0x7f000001/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://2130706433/",
    "https://0/",
    "https://0x/",
    "https://0.0.0.0/",
    "https://256.256.256.256/",
    "https://①②⑦.⓪.⓪.①/",
    "https://１２７.０.０.１/",
    "https://127。0。0。1/",
    "https://%31%32%37.0.0.1/",
    "https://10.0.0.1/",
    "https://172.16.0.1/",
    "https://0300.0250.1/",
    "https://100.64.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://0xa9fea9fe/",
    "https://169.254.170.2/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    # IPv6
    "https://[::]/",
    "https://[::1]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:a9fe:a9fe]/",
    "https://[::127.0.0.1]/",
    "https://[fe80::1]/",
    "https://[fe80::1%25eth0]/",
    "https://[fd00:ec2::254]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[64:ff9b:1::a00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/",
    "https://[2001:db8::1]/",
    "https://[ff02::1]/",
    "https://[::1",
]

# Refused where a name resolves to them.
INSIDE = [
    *("0.0.0.0", "0.1.2.3", "10.1.2.3", "100.64.0.1", "100.127.255.254", "127.0.0.1", "127.255.255.254"),
    *("169.254.0.1", "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.255", "192.0.0.1"),
    *("192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1", "198.19.255.255", "198.51.100.1"),
    *("203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::127.0.0.1", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254"),
    *("::ffff:0:127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::169.254.169.254", "64:ff9b:1::1", "100::1"),
    *("2001::1", "2001:10::1", "2001:20::1", "2001:db8::1", "2002:0a00:0001::1", "2002:7f00:1::"),
    *("3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1"),
    "no address",
]
OUTSIDE = [
    *(PUBLIC, "1.1.1.1", "172.15.0.1", "172.32.0.1", "100.63.255.255", "100.128.0.1", "192.0.1.1"),
    *("223.255.255.255", "2606:4700:4700::1111", "2a00:1450:4001:82a::200e", "::ffff:1.1.1.1"),
    "64:ff9b::8.8.8.8",
]


@pytest.mark.parametrize("url", WRONG_URLS)
def test_a_url_of_the_inside_is_refused_where_it_is_given(url: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^url must be an https:// URL .*; got .*: .+\.$") as refused:
        receiver(url, loopback=False, param="url")
    assert refused.value.param == "url"
    assert refused.value.message.isprintable()


@pytest.mark.parametrize(
    ("url", "host", "port", "sent"),
    [
        ("https://example.com", "example.com", 443, "https://example.com/"),
        ("HTTPS://Example.COM:443/Hook?a=1&b=%20", "example.com", 443, "https://example.com/Hook?a=1&b=%20"),
        ("https://example.com.:8443/", "example.com", 8443, "https://example.com:8443/"),
        ("https://bücher.example/ä", "xn--bcher-kva.example", 443, "https://xn--bcher-kva.example/%C3%A4"),
        ("https://1.1.1.1/", "1.1.1.1", 443, "https://1.1.1.1/"),
        ("https://16843009/", "1.1.1.1", 443, "https://1.1.1.1/"),
        ("https://[2606:4700:4700::1111]:8443/", "2606:4700:4700::1111", 8443, None),
        ("https://127.0.0.1.example.com/", "127.0.0.1.example.com", 443, None),
        ("https://example.com/?next=https://user@x", "example.com", 443, None),
        (f"https://example.com/{'a' * (LONGEST_URL - 20)}", "example.com", 443, None),
    ],
)
def test_a_public_url_in_parts(url: str, host: str, port: int, sent: str | None) -> None:
    found = receiver(url, loopback=False, param="url")
    assert (found.host, found.port) == (host, port)
    assert found.url == (sent or url)
    assert receiver(found.url, loopback=False, param="url") == found


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000/", "http://localhost:8000/", "https://[::1]/", "http://0x7f.1/"]
)
def test_this_machine_only_where_the_setting_allows_it(url: str) -> None:
    assert receiver(url, loopback=True, param="url").host in ("127.0.0.1", "localhost", "::1")
    with pytest.raises(InvalidRequest):
        receiver(url, loopback=False, param="url")


@pytest.mark.parametrize("url", ["http://example.com/", "https://10.0.0.1/", "https://intranet/"])
def test_the_setting_allows_nothing_else(url: str) -> None:
    with pytest.raises(InvalidRequest, match="loopback; got"):
        receiver(url, loopback=True, param="webhook_url")


def test_no_address_of_the_inside_is_allowed_and_every_one_of_the_outside() -> None:
    assert [one for one in (*INSIDE, *OUTSIDE) if allowed_address(one, loopback=False)] == OUTSIDE


def test_the_setting_allows_the_loopback_addresses() -> None:
    assert all(allowed_address(one, loopback=True) for one in ("127.0.0.1", "::1", "::ffff:127.0.0.1"))
    refused = ("10.0.0.1", "169.254.169.254", "0.0.0.0", "::")
    assert not any(allowed_address(one, loopback=True) for one in refused)


# --- the connection


class Network:
    """Records which addresses are connected to, and accepts none."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = [*answers]  # of the resolver, in order
        self.asked: list[str] = []
        self.connected: list[tuple[str, int]] = []

    def resolve(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        return self.answers.pop(0)

    def connect(self, address: tuple[str, int], *_: Any, **__: Any) -> None:
        self.connected.append(address)
        raise ConnectionRefusedError(111, "Connection refused")


def post(network: Network, monkeypatch: pytest.MonkeyPatch, *, loopback: bool = False, url: str = "") -> str:
    monkeypatch.setattr(urllib3.util.connection, "create_connection", network.connect)
    to = receiver(url or "https://example.com/", loopback=loopback, param="url")
    return Sender(loopback=loopback, resolve=network.resolve).post(to, b"{}", {}).problem


def test_the_connection_goes_to_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    rebinding = Network([PUBLIC], ["127.0.0.1"])
    assert post(rebinding, monkeypatch) == "can't connect: Connection refused"
    assert rebinding.connected == [(PUBLIC, 443)]
    assert rebinding.asked == ["example.com"], "the name is resolved once"


def test_nothing_is_sent_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    for address in INSIDE:
        network = Network([address])
        assert post(network, monkeypatch) == "its host has an address that is not public", address
        assert network.connected == []


def test_one_address_of_the_inside_among_others_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network([PUBLIC, "10.0.0.1"])
    problem = post(network, monkeypatch)
    assert "not public" in problem
    assert "10.0.0.1" not in problem, "the answer would tell about names inside the network"
    assert network.connected == []


def test_a_name_without_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "not public" in post(Network([]), monkeypatch)


def test_a_name_that_the_resolver_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unknown(Network):
        def resolve(self, host: str, port: int) -> list[str]:
            raise socket.gaierror(-2, "Name or service not known")

    assert post(Unknown(), monkeypatch) == "its host has no address"


def test_the_next_address_is_tried_and_no_more_than_three(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network(["1.1.1.1", "1.1.1.2", "1.1.1.3", "1.1.1.4"])
    post(network, monkeypatch)
    assert [address for address, _ in network.connected] == ["1.1.1.1", "1.1.1.2", "1.1.1.3"]


def test_without_tls_only_to_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    rebound = Network([PUBLIC])
    problem = post(rebound, monkeypatch, loopback=True, url="http://localhost:8000/")
    assert problem == "http:// is only for this machine; use https://"
    assert rebound.connected == []


def test_the_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(variable, "http://10.0.0.1:3128")
    network = Network([PUBLIC])
    post(network, monkeypatch)
    assert network.connected == [(PUBLIC, 443)]
