"""The control plane: one process that judges and plans."""
