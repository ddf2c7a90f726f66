"""Adjustment: what was known before assignment takes variance out of the difference."""
