"""``turnout context``: which routers are there by name, and which one is it from now on?"""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape

from router.cli.contexts import Contexts, contexts_file, load_contexts, use_context
from router.cli.options import Output
from router.cli.showing import rows, show


def run(output: Output) -> None:
    """Print the contexts without their tokens."""
    file = contexts_file()
    known = load_contexts(file) if file.exists() else Contexts(contexts={})
    listed = [
        {"name": name, "url": each.url, "token": each.token is not None, "current": name == known.current}
        for name, each in known.contexts.items()
    ]

    def table(to: Console) -> None:
        cells = [
            (f"{name}{' *' if name == known.current else ''}", each.url, "yes" if each.token else "none")
            for name, each in known.contexts.items()
        ]
        to.print(rows("", ("context", "url", "token"), cells))
        to.print(escape(f"from {file}"), soft_wrap=True)

    show(output, {"file": str(file), "contexts": listed}, table)


def use(name: str, output: Output) -> None:
    """Make a context the current one, and say where that is."""
    used = use_context(contexts_file(), name)
    data = {"current": name, "url": used.url}
    show(output, data, lambda to: to.print(escape(f"{name}: {used.url}"), soft_wrap=True))
