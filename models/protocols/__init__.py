"""The protocols that model backends speak, one file each; `models.registry` finds them here."""
