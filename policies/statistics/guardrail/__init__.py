"""Guardrail: is the treatment at least not worse, or no different, by more than a margin?"""
