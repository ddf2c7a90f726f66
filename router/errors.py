"""Whose fault is it, and which status does it become?"""

from __future__ import annotations


class TurnoutError(Exception):
    """An error that a user reads: its text says what, where and what is allowed."""

    status = 500


class ConfigurationError(TurnoutError):
    """The operator's file or edit cannot be used."""

    status = 422


class TokenError(TurnoutError):
    """A token that this service did not sign, or that has expired."""

    status = 400


class StoreUnavailable(TurnoutError):
    """Redis did not answer."""

    status = 503
