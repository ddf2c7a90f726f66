"""Strata: one effect from several epochs of different weights, never from their pool."""
