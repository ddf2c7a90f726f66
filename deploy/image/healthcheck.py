"""Does the service in this container answer? Exits 0 if TURNOUT_HEALTH_URL answers 200 within 3 s, else 1.

Which URL that is, the image says, and whoever runs another plane of it says otherwise: ``turnout proxy`` and
``turnout control`` have ``/healthz`` on their inner port.
"""

from __future__ import annotations

import os
import sys
import urllib.request

TIMEOUT = 3.0


def main() -> int:
    """The exit status; why it is not 0 is said on standard error, which ``docker inspect`` shows."""
    url = os.environ.get("TURNOUT_HEALTH_URL", "")
    # Without a proxy: the environment's is for what the service calls, and this calls itself.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=TIMEOUT) as answer:
            return 0 if answer.status == 200 else 1
    except (OSError, ValueError) as error:
        print(f"{url or 'TURNOUT_HEALTH_URL, which is not set'}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
