"""Running `emurl` commands for a benchmark, each in a process of its own, and Markdown tables of what they found."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import mean

COSTS = ("wall s", "CPU s", "peak MB")


class Commands:
    """Runs `emurl` commands and keeps what each cost, also over several sittings."""

    def __init__(self, profile: str, home: Path) -> None:
        self._start = [sys.executable, "-m", "emurl_core.cli", "--profile", profile, "--home", str(home)]
        self._file = home / f"costs-{Path(profile).stem}.json"
        home.mkdir(parents=True, exist_ok=True)
        self._costs: dict[str, list[float]] = (
            json.loads(self._file.read_text()) if self._file.exists() else {}
        )

    def __call__(self, *command: str, seed: int | None = None) -> None:
        """Run one. With a seed its cost is kept, of the first time that it was run."""
        print(f"emurl {' '.join(command)}", file=sys.stderr, flush=True)
        began = time.monotonic()
        process = subprocess.Popen([*self._start, *command], stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(
                f"`emurl {' '.join(command)}` ended with {process.returncode}; see what it said above"
            )
        cost = [time.monotonic() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]
        if seed is not None:
            self._costs.setdefault(f"{command[0]} {seed}", cost)
            self._file.write_text(json.dumps(self._costs, indent=1))

    def costs(self, names: Sequence[str], seeds: Sequence[int]) -> str:
        """Time and memory of each command."""
        rows = []
        for name in names:
            own = [self._costs[f"{name} {seed}"] for seed in seeds]
            rows.append([f"`emurl {name}`", *(spread([c[i] for c in own]) for i in range(len(COSTS)))])
        return table("Cost of a stage, its evaluation included", ["stage", *COSTS], rows)


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown."""
    lines = [f"**{title}**", "", f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def spread(values: Sequence[float | None]) -> str:
    """Mean, and least and greatest in brackets where they differ."""
    known = [v for v in values if v is not None]
    if not known:
        return "–"
    least, greatest = _short(min(known)), _short(max(known))
    middle = _short(mean(known))
    return middle if least == greatest else f"{middle} [{least}–{greatest}]"


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"
