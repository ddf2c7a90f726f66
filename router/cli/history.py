"""Which versions were there, what is different between two, and how does one come back?"""

from __future__ import annotations

from typing import Any

import msgspec
from rich.console import Console
from rich.markup import escape

from router.cli.answers import Difference, Preview, Record, Snapshot, Versions
from router.cli.apply import CHANGES_PENDING, print_moves
from router.cli.asking import ask
from router.cli.change_lines import Weights, change_lines, when
from router.cli.client import Client
from router.cli.contexts import Target
from router.cli.options import Output
from router.cli.showing import console, print_lines, show
from router.errors import ConfigurationError


def history(target: Target, limit: int, output: Output) -> None:
    """Print the newest versions: who, when, why, and what was different."""
    with Client(target) as client:
        answer = client.get("versions", limit=limit)

    def table(to: Console) -> None:
        listed = answer.read(Versions)
        for each in listed.versions:
            current = " (in force)" if each.version == listed.current else ""
            why = f": {each.why}" if each.why else ""
            head = f"version {each.version}{current}, {when(each.at)}, by {each.who}{why}"
            to.print(f"[bold]{escape(head)}[/]", soft_wrap=True)
            print_lines(to, change_lines(each.difference))
            if each.opened:
                to.print(escape(f"    a new epoch of {', '.join(each.opened)}"), soft_wrap=True)

    show(output, msgspec.json.decode(answer.body), table)


def diff(target: Target, first: int, second: int | None, output: Output) -> None:
    """Print what is different in the second version, or the one in force, as compared with the first."""
    with Client(target) as client:
        number = client.get("versions", limit=1).read(Versions).current if second is None else second
        answer = client.get("versions", str(number), "difference", against=first)
        record = client.get("versions", str(number)).read(Record)

    def table(to: Console) -> None:
        found = answer.read(Difference)
        if not found.difference:
            to.print(f"versions {first} and {number} have the same configuration")
            return
        to.print(f"from version {first} to version {number}:")
        print_lines(to, change_lines(found.difference, weights_of(record)))

    show(output, msgspec.json.decode(answer.body), table)


def rollback(target: Target, number: int, *, why: str, yes: bool, dry_run: bool, output: Output) -> int:
    """Bring a version's configuration back as a new version, once the operator agrees; the exit status."""
    with Client(target) as client:
        listed = client.get("versions", limit=1)
        current = listed.read(Versions).current
        record = client.get("versions", str(number)).read(Record)
        different = client.get("versions", str(number), "difference", against=current).read(Difference)
        preview = client.send("POST", "validate", body=record.settings, prune="true").read(Preview)
        data: dict[str, Any] = {
            "status": "unchanged",
            "version": current,
            "of": number,
            "difference": msgspec.to_builtins(different.difference),
            "moves": msgspec.to_builtins(preview.moves),
        }

        def table(to: Console) -> None:
            if not different.difference:
                to.print(f"nothing to change: version {current} is as version {number} was")
                return
            said = f"the configuration of version {number} would change version {current} of {target.url}:"
            to.print(escape(said), soft_wrap=True)
            print_lines(to, change_lines(different.difference, weights_of(record)))
            print_moves(to, preview)

        if not different.difference:
            show(output, data, table)
            return 0
        if dry_run:
            show(output, data | {"status": "pending"}, table)
            return CHANGES_PENDING

        if output is Output.table or not yes:
            table(console(to_stderr=output is not Output.table))
        ask(f"Roll back to version {number}?", yes=yes)
        answer = client.send("POST", "versions", str(number), "rollback", if_match=listed.etag, why=why)
    version = msgspec.json.decode(answer.body)["version"]
    done = data | {"status": "applied", "version": version}
    show(output, done, lambda to: to.print(f"rolled back to version {number}: version {version}"))
    return 0


def restore(target: Target, *, why: str, yes: bool, output: Output) -> None:
    """Make the last snapshot the state, where Redis lost it; `ConfigurationError` elsewhere."""
    with Client(target) as client:
        snapshot = client.get("snapshot").read(Snapshot)
        if not snapshot.lost:
            raise ConfigurationError(
                "Redis has its state, so there is nothing to restore; "
                "to undo a change: turnout rollback VERSION"
            )
        names = ", ".join(snapshot.experiments) or "none"
        said = (
            f"Redis at {target.url} lost the state. The last snapshot is version {snapshot.version}, "
            f"experiments: {names}.\nWhat Redis lost is gone: each experiment goes on in a new epoch."
        )
        console(to_stderr=output is not Output.table).print(escape(said), soft_wrap=True)
        ask("Restore it?", yes=yes)
        answer = client.send("POST", "restore", why=why)
    data = msgspec.json.decode(answer.body)
    show(output, data, lambda to: to.print(f"restored: version {data['version']}"))


def weights_of(record: Record) -> Weights:
    """The weights in a version, by experiment and variant."""
    experiments: dict[str, Any] = record.settings.get("experiments", {})
    return {
        name: {variant: arm["weight"] for variant, arm in experiment["variants"].items()}
        for name, experiment in experiments.items()
    }
