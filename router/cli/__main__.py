"""``python -m router.cli`` is ``turnout``."""

from router.cli import main

main()
