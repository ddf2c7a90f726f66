"""What does the policies' dashboard show of plans, canaries and bandits, and of shadows?"""

from __future__ import annotations

from deploy.grafana.panels import Panel, Row

_S = '{shadow="$shadow"}'


def _with_interval(name: str, unit: str, legend: str = "") -> tuple[tuple[str, str], ...]:
    """What pairs say of the candidate and of the current model itself, each with its interval's ends."""
    ends = {"": "", "_lower": " lower", "_upper": " upper"}
    return tuple(
        (f"max by (pair) (turnout_shadow_{name}{end}_{unit}{_S})", f"{legend}{{{{pair}}}}{word}")
        for end, word in ends.items()
    )


_SHADOWS = Row(
    "Shadow $shadow",
    (
        Panel(
            "Verdict",
            (("max by (shadow) (turnout_shadow_decision)", "{{shadow}}"),),
            kind="stat",
            text="Of every shadow. Empty while undecided, and always so where noise is 0.",
            width=6,
            mappings=(("1", "differs", "red"), ("0", "no more than noise", "green")),
        ),
        Panel(
            "Disagreement, and the current model's own noise",
            _with_interval("disagreement", "ratio"),
            "percentunit",
            text="Of pairs of answers, with always-valid intervals. noise: the current model asked twice.",
            low=0,
            width=9,
        ),
        Panel(
            "Disagreement beyond the noise",
            tuple(
                (f"max(turnout_shadow_excess{end}_ratio{_S})", word)
                for end, word in (("", "estimate"), ("_lower", "lower"), ("_upper", "upper"))
            ),
            "percentunit",
            text="How much more of the requests only the candidate differs in.",
            width=9,
        ),
        Panel(
            "Copies",
            (
                (
                    f"sum by (outcome, reason) (rate(turnout_shadow_copies_total{_S}[$__rate_interval]))",
                    "{{outcome}} {{reason}}",
                ),
            ),
            "reqps",
            text="Sent, dropped for want of room, or skipped by a rule.",
        ),
        Panel(
            "Answers, and what was not compared",
            (
                (
                    f"sum by (outcome) (rate(turnout_shadow_answers_total{_S}[$__rate_interval]))",
                    "{{outcome}}",
                ),
                (
                    f"sum by (reason) (rate(turnout_shadow_uncompared_total{_S}[$__rate_interval]))",
                    "not compared: {{reason}}",
                ),
            ),
            "reqps",
        ),
        Panel(
            "Latency, by pair",
            _with_interval("latency_difference", "seconds"),
            "s",
            text="How much longer than the client's the second answer to the same request took.",
        ),
        Panel(
            "Same best result, and overlap of rankings",
            (
                *_with_interval("top_agreement", "ratio", "best "),
                *_with_interval("rank_overlap", "ratio", "overlap "),
            ),
            "percentunit",
            text="Where compare.top and compare.ranking say where those stand.",
            low=0,
            high=1,
            width=24,
        ),
    ),
)

POLICIES = (
    Row(
        "Plans",
        (
            Panel("Planning", (("sum(turnout_planner_leading)", "leaders"),), kind="stat", width=4),
            Panel(
                "Since the last plan",
                (
                    (
                        "time() - max by (experiment) (turnout_policy_planned_timestamp_seconds)",
                        "{{experiment}}",
                    ),
                ),
                "s",
                width=10,
            ),
            Panel(
                "Epochs that plans opened, and plans that failed",
                (
                    (
                        "sum by (experiment) (increase(turnout_policy_epochs_total[$__range]))",
                        "epochs {{experiment}}",
                    ),
                    (
                        "sum by (experiment) (increase(turnout_policy_failures_total[$__range]))",
                        "failed {{experiment}}",
                    ),
                ),
                width=10,
            ),
        ),
    ),
    Row(
        "Canaries",
        (
            Panel(
                "Phase",
                (("max by (experiment, phase) (turnout_canary_phase) == 1", "{{experiment}}: {{phase}}"),),
                kind="state",
                width=12,
            ),
            Panel(
                "Verdict",
                (
                    (
                        "max by (experiment, verdict) (turnout_canary_verdict) == 1",
                        "{{experiment}}: {{verdict}}",
                    ),
                ),
                kind="state",
                width=12,
            ),
            Panel("Step", (("max by (experiment) (turnout_canary_step)", "{{experiment}}"),), width=12),
            Panel(
                "Rolled back",
                (("sum by (experiment) (turnout_canary_rollbacks_total)", "{{experiment}}"),),
                width=12,
            ),
        ),
    ),
    Row(
        "Bandits",
        (
            Panel(
                "Weights",
                (
                    (
                        'max by (variant) (turnout_variant_weight_ratio{experiment="$experiment"})',
                        "{{variant}}",
                    ),
                ),
                "percentunit",
                stacked=True,
                low=0,
                high=1,
                width=12,
            ),
            Panel(
                "Probability to be the best",
                (('max by (variant) (turnout_policy_best_ratio{experiment="$experiment"})', "{{variant}}"),),
                "percentunit",
                low=0,
                high=1,
                width=12,
            ),
        ),
    ),
    _SHADOWS,
)
