"""How many standard errors must an effect lie from zero before a design calls it?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from policies.statistics.always_valid.asymptotic import critical_value
from policies.statistics.arguments import positive, share
from policies.statistics.kernel import critical


class Design(Protocol):
    """A way to look at an experiment: the critical value after n units over all variants compared."""

    @property
    def alpha(self) -> float:
        """The chance to call an effect where there is none."""

    @property
    def sides(self) -> int:
        """1 or 2."""

    def critical(self, n: float) -> float:
        """In standard errors."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """One look, at the planned size."""

    alpha: float = 0.05
    sides: int = 2

    def critical(self, n: float) -> float:
        """The normal quantile, whatever n. Raises ValueError for an alpha or sides out of range.

        >>> round(Fixed().critical(100), 6)
        1.959964
        """
        return critical(self.alpha, sides=self.sides)


@dataclass(frozen=True, slots=True)
class AlwaysValid:
    """Looks at any time, by the asymptotic confidence sequence; ``n_star`` None tunes it for n itself."""

    alpha: float = 0.05
    n_star: float | None = None
    sides: int = 2

    def critical(self, n: float) -> float:
        """The confidence sequence's multiplier at n. Raises ValueError for arguments out of range.

        >>> round(AlwaysValid(n_star=20_000).critical(40_000) / Fixed().critical(40_000), 2)
        1.56
        """
        share("alpha", self.alpha)
        return critical_value(
            positive("n", n), self.alpha, n if self.n_star is None else self.n_star, self.sides
        )


ONE_LOOK: Final = Fixed()
