"""`python -m serinus.mail --host 127.20.7.4 --port 1025 --dir MAILDIR`.

Enters: an address and a folder. Leaves: an SMTP server until SIGTERM. Started by the supervisor.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
from pathlib import Path

from serinus.mail.server import serve


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="python -m serinus.mail", description=__doc__)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--dir", type=Path, required=True)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("mail.log").setLevel(logging.WARNING)
    asyncio.run(serve(arguments.host, arguments.port, arguments.dir))


if __name__ == "__main__":
    main()
