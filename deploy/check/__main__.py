"""Does the real tool of its kind pass every file of deploy/ and .github/? ``python -m deploy.check`` asks.

Exits 0 if all passed, 1 if one did not, 2 if a tool is missing.
"""

from __future__ import annotations

import subprocess
import sys

from deploy.check.tools import OVERLAYS, ROOT, Check, ToolMissing, checks, executable


def main() -> int:
    """The exit status; a line for each check, and what a tool said where it did not pass."""
    try:
        passed = [_run(check) for check in checks()]
        # Here and not above: without the extra "deploy" there is no such import, and tools say so better.
        from deploy.check.manifests import mistakes, render

        for overlay in OVERLAYS:
            objects = render(overlay)
            found = list(mistakes(objects))
            passed.append(_say(not found, f"kubernetes-validate: {overlay}, {len(objects)} objects", found))
    except ToolMissing as error:
        print(error, file=sys.stderr)
        return 2
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    return 0 if all(passed) else 1


def _run(check: Check) -> bool:
    tool, *arguments = check.command
    command = [executable(tool, check.package), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    said = (done.stdout + done.stderr).strip().splitlines()
    return _say(done.returncode == 0, f"{tool.rpartition('/')[2]}: {check.what}", said)


def _say(passed: bool, what: str, said: list[str]) -> bool:
    print(f"{'ok  ' if passed else 'FAIL'}  {what}", flush=True)
    if not passed:
        print("\n".join(f"      {line}" for line in said), flush=True)
    return passed


if __name__ == "__main__":
    sys.exit(main())
