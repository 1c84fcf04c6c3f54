"""Takes out of compiled modules what only a debugger reads: sections that are not loaded.

Enters: folders. Leaves: their ELF files cut after the last loaded byte, without a section table,
which the loader never looks at (as `sstrip` does). Called by `images/Dockerfile`, where no compiler
and so no `strip` is at hand: uvloop's module is 13.6 MB, of which 1.6 MB are ever loaded.
"""

import struct
import sys
from pathlib import Path

HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
SEGMENT = struct.Struct("<IIQQQQQQ")


def stripped(data: bytes) -> bytes:
    """The file without what is not loaded; any other file unchanged."""
    # 64 bits, little-endian: what the wheels of amd64 and arm64 hold.
    if data[:6] != b"\x7fELF\x02\x01" or len(data) < HEADER.size:
        return data
    header = list(HEADER.unpack_from(data))
    table, size, count = header[5], header[9], header[10]
    if size != SEGMENT.size or count == 0:
        return data
    end = max(HEADER.size, table + size * count)
    for number in range(count):
        _, _, offset, _, _, length, _, _ = SEGMENT.unpack_from(data, table + number * size)
        end = max(end, offset + length)
    if end > len(data):
        return data
    header[6] = header[12] = header[13] = 0  # place, number and names of the sections
    return HEADER.pack(*header) + data[HEADER.size : end]


def main(folders: list[str]) -> None:
    """Strip every shared object below the folders, and say what it saved."""
    saved = 0
    for folder in folders:
        for path in sorted(Path(folder).rglob("*.so*")):
            if path.is_file() and not path.is_symlink():
                before = path.read_bytes()
                after = stripped(before)
                path.write_bytes(after)
                saved += len(before) - len(after)
    print(f"{saved / 1e6:.1f} MB of debugging data left out")


if __name__ == "__main__":
    main(sys.argv[1:])
