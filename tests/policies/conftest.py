"""How long may a hypothesis example take? As long as it needs: the first one imports scipy."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("turnout", deadline=None)
settings.load_profile("turnout")
