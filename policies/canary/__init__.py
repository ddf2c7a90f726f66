"""The canary's parts: its parameters, its table of transitions, and its verdict."""
