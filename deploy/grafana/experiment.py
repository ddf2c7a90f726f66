"""What does an experiment's dashboard show?"""

from __future__ import annotations

from deploy.grafana.panels import Panel, Row

_E = 'experiment="$experiment"'
_M = '{experiment="$experiment",metric="$metric"}'
_DECISIONS = (("1", "better", "green"), ("-1", "worse", "red"), ("0", "no difference", "blue"))
_CHECKS = (("0", "ok", "green"), ("1", "warning", "orange"), ("2", "alarm", "red"))
EXPERIMENT = (
    Row(
        "$experiment",
        (
            Panel(
                "Decision by $metric",
                ((f"max by (variant) (turnout_effect_decision{_M})", "{{variant}}"),),
                kind="stat",
                text="Empty while undecided.",
                mappings=_DECISIONS,
            ),
            Panel(
                "Health",
                ((f"max by (check) (turnout_check_status{{{_E}}})", "{{check}}"),),
                kind="stat",
                mappings=_CHECKS,
            ),
            Panel(
                "Days left",
                (
                    (
                        f"min by (variant, metric) (turnout_effect_left_seconds{_M}) / 86400",
                        "{{variant}}",
                    ),
                ),
                "d",
                kind="stat",
                text="Until a decision, should effect and traffic stay as they are.",
            ),
        ),
    ),
    Row(
        "Traffic",
        (
            Panel(
                "Split, as it is",
                (
                    (
                        f"sum by (variant) (rate(turnout_requests_total{{{_E}}}[$__rate_interval])) "
                        f"/ scalar(sum(rate(turnout_requests_total{{{_E}}}[$__rate_interval])))",
                        "{{variant}}",
                    ),
                ),
                "percentunit",
                stacked=True,
                low=0,
                high=1,
            ),
            Panel(
                "Split, as it is planned",
                ((f"max by (variant) (turnout_variant_weight_ratio{{{_E}}})", "{{variant}}"),),
                "percentunit",
                stacked=True,
                low=0,
                high=1,
            ),
            Panel(
                "Sample ratio mismatch, p-value",
                ((f"min by (test) (turnout_srm_p_value{{{_E}}})", "{{test}}"),),
                text="For many looks (sequential) and for one (fixed). Below 0.001 no effect can be trusted.",
                low=0,
                high=1,
                limit=0.001,
            ),
        ),
    ),
    Row(
        "$metric",
        (
            Panel(
                "Mean by variant",
                ((f"max by (variant) (turnout_metric_mean{_M})", "{{variant}}"),),
                width=12,
            ),
            Panel(
                "Effect, with the interval that is always valid",
                (
                    (f"max by (variant) (turnout_effect{_M})", "{{variant}}"),
                    (f"max by (variant) (turnout_effect_lower{_M})", "{{variant}} lower"),
                    (f"max by (variant) (turnout_effect_upper{_M})", "{{variant}} upper"),
                ),
                text="Difference to the control; decided once the interval leaves out 0.",
                width=12,
            ),
            Panel(
                "p-value, always valid",
                ((f"max by (variant) (turnout_effect_p_value{_M})", "{{variant}}"),),
                low=0,
                high=1,
                limit=0.05,
            ),
            Panel(
                "Probability to be the best",
                ((f"max by (variant) (turnout_effect_best_ratio{_M})", "{{variant}}"),),
                "percentunit",
                low=0,
                high=1,
            ),
            Panel(
                "Outcomes",
                (
                    (
                        f"sum by (metric, status) (rate(turnout_outcomes_total{{{_E}}}[$__rate_interval]))",
                        "{{metric}} {{status}}",
                    ),
                ),
                "cps",
            ),
        ),
    ),
    Row(
        "All metrics",
        (
            Panel(
                "Effects now",
                ((f"max by (metric, variant) (turnout_effect{{{_E}}})", "{{metric}} {{variant}}"),),
                kind="table",
                width=12,
                height=10,
            ),
            Panel(
                "Units by variant",
                ((f"max by (variant) (turnout_variant_units{{{_E}}})", "{{variant}}"),),
                width=12,
                height=10,
            ),
        ),
    ),
)
