"""What may be said of a shadow?"""

from __future__ import annotations

from typing import Final

MORE: Final = "differs more than its own noise"
NO_MORE: Final = "differs no more than its own noise"
UNDECIDED: Final = "not enough data"
