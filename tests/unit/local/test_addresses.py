import socket
from pathlib import Path

import pytest

from serinus.errors import LocalRunError, PortInUseError
from serinus.local import addresses
from serinus.local.addresses import Listener


def test_the_same_directory_has_the_same_blocks_and_others_have_others():
    first = list(addresses.candidates(Path("/a/.serinus")))
    assert first == list(addresses.candidates(Path("/a/.serinus")))
    assert first[0] != next(iter(addresses.candidates(Path("/b/.serinus"))))
    assert len(set(first)) == 32
    for block in first:
        words = block.split(".")
        assert words[0] == "127"
        assert 16 <= int(words[1]) < 112


def test_a_block_in_which_something_listens_is_passed_over():
    state = Path("/a")
    best, second, *_ = addresses.candidates(state)
    busy = [Listener(f"{best}.10", 8080, 1, "x")]
    assert addresses.choose_block(state, []) == best
    assert addresses.choose_block(state, busy) == second
    everything = [Listener(f"{block}.1", 1, 1, "x") for block in addresses.candidates(state)]
    with pytest.raises(LocalRunError, match="no free block"):
        addresses.choose_block(state, everything)


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "::"])
def test_a_held_port_is_named_with_its_holder(address):
    busy = [Listener(address, 8080, 7, "process 7 (nginx)")]
    with pytest.raises(PortInUseError, match=r"port 8080 is held by process 7 \(nginx\)"):
        addresses.check_gateway(("127.0.0.1", "::1"), 8080, busy)
    addresses.check_gateway(("127.0.0.1", "::1"), 8081, busy)


def test_a_listener_on_another_loopback_address_is_no_obstacle():
    busy = [Listener("127.9.9.9", 8080, 7, "x")]
    addresses.check_gateway(("127.0.0.1",), 8080, busy)
    addresses.check_ports({8080}, busy)


def test_a_listener_on_all_addresses_is_one():
    with pytest.raises(PortInUseError, match="on all addresses"):
        addresses.check_ports({8080}, [Listener("0.0.0.0", 8080, 7, "x")])


def test_real_listeners_name_this_process():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        (found,) = [item for item in addresses.listeners() if item.port == port]
    assert found.address == "127.0.0.1"
    assert "python" in found.holder


def test_the_pool_gives_the_lowest_free_address():
    taken = {"127.20.1.10"}
    pool = addresses.Pool("127.20.1", lambda: taken)
    assert pool.next() == "127.20.1.11"
    taken.update(f"127.20.1.{number}" for number in range(256))
    with pytest.raises(LocalRunError, match="more pods"):
        pool.next()
