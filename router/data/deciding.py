"""Which variant does a request get?"""

from __future__ import annotations

from binascii import hexlify
from os import urandom
from typing import TYPE_CHECKING

from policies.assignment import assign, place
from router.data.answering import Answering
from router.errors import TokenError
from router.token import FORCED, LOGGED, UNIDENTIFIED, read_force

if TYPE_CHECKING:
    from router.data.admission import Admission
    from router.data.trial import Slot, Trial


class Deciding(Answering):
    """The part of an exchange that knows units and experiments; the common case is `Exchange.begin`'s own."""

    __slots__ = ()

    def _admitted(self, admission: Admission) -> Slot | None:
        """The slot in the experiment that takes the request; none where none does."""
        if admission.needs_body:
            self.body += self.fresh
            self.fresh = []
        entrance = admission.admit(self, _new_unit, self._claim())
        self._cookie = entrance.cookie
        trial = entrance.trial
        if trial is None:
            return None
        unit, variant = entrance.unit, entrance.variant
        if entrance.made:
            self._flags = UNIDENTIFIED
        self._place = place(trial.bucket_prefix, unit)
        if variant is not None:
            self._flags |= FORCED
        else:
            variant = assign(trial.plan, unit).variant if trial.plain else self._choose(trial, unit)
        return trial.slots[variant]

    def _make_unit(self, trial: Trial) -> bytes:
        self._flags = UNIDENTIFIED
        unit = _new_unit()
        if trial.cookie is not None:
            self._cookie = trial.cookie(unit)
        return unit

    def _choose(self, trial: Trial, unit: bytes) -> str:
        """By more than the unit: anew for each request, by its features, or both."""
        plan = trial.plan
        key = unit if plan.draw == "unit" else b"%d" % next(self.client.plane.decisions)
        context = trial.context
        if context is None:
            return assign(plan, key).variant
        choice = context.choose(self, key)
        if context.log.wanted():
            self._choice = choice
            self._flags |= LOGGED
        return choice.variant

    def _forced(self, trial: Trial) -> str | None:
        claim = self._claim()
        if claim is None or claim[0] != trial.name or claim[1] not in trial.slots:
            return None
        self._flags |= FORCED
        return claim[1]

    def _claim(self) -> tuple[str, str] | None:
        """The experiment and variant that a header names, where it is signed and in time."""
        if self.force is None:
            return None
        try:
            return read_force(self.force.decode("latin-1"), self.snapshot.state.key, self.client.plane.wall)
        except TokenError:
            return None


def _new_unit() -> bytes:
    return hexlify(urandom(16))
