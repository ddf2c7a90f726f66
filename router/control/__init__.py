"""The control plane: one process that commits the state, judges the evidence, and answers operators."""
