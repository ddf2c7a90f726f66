"""A node's own listener: metrics and probes of its workers, beside them and never in their way."""
