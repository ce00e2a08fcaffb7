"""Reads memory traces into strings of pages: a list of (page number, whether it is written), pages of 4 KiB.

A reference that crosses into the next page is two accesses, the lower page first. A modify is a load and then a store.
"""

import gzip

PAGE_SHIFT = 12
MAGIC = b"vmm packed trace 1\n"
MEMORY_BITS = 18
FETCH, LOAD, STORE, MODIFY = range(4)


def add(string, kind, address, size):
    first, last = address >> PAGE_SHIFT, (address + size - 1) >> PAGE_SHIFT
    for write in (False, True) if kind == MODIFY else (kind == STORE,):
        for page in range(first, last + 1):
            string.append((page, write))


def packed(name):
    """A trace in the packed form that examples/trace.h describes."""
    with gzip.open(name) as file:
        data = file.read()
    assert data.startswith(MAGIC)
    string = []
    at = len(MAGIC)
    remembered = {}  # of each place in the program the reference that came next
    code = since = count = 0
    end_of_fetch = latest_data = 0

    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while True:
        byte = data[at]
        at += 1
        for _ in range((byte & 127) + 1 if byte >= 128 else 1):
            place = (code * 4 + since) * 0x9E3779B97F4A7C15 % 2**64 >> 64 - MEMORY_BITS
            if byte >= 128:
                kind, address, size = remembered[place]
            else:
                kind, size = byte & 3, byte >> 3
                if size == 0:
                    size = number()
                    if byte == 0 and size == 0:
                        assert number() == count and at == len(data)
                        return string
                distance = number()
                base = remembered.get(place, (0, 0, 0))[1]
                if byte & 4:
                    base = end_of_fetch if kind == FETCH else latest_data
                address = (base + (-(distance + 1 >> 1) if distance & 1 else distance >> 1)) % 2**64
            remembered[place] = kind, address, size
            count += 1
            add(string, kind, address, size)
            if kind == FETCH:
                code, since, end_of_fetch = address, 0, address + size
            else:
                since, latest_data = since + 1, address


def address_and_letter(name):
    """Lines of a hexadecimal address and R or W; compressed or not."""
    string = []
    with gzip.open(name, "rt") if str(name).endswith(".gz") else open(name) as file:
        for line in file:
            address, letter = line.split()
            string.append((int(address, 16) >> PAGE_SHIFT, letter == "W"))
    return string
