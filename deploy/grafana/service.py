"""What does the service's own dashboard show?"""

from __future__ import annotations

from deploy.grafana.panels import Panel, Row


def _percentile(share: float, name: str, by: str, where: str = "") -> str:
    inner = f"sum by ({by}, le) (rate(turnout_{name}_seconds_bucket{where}[$__rate_interval]))"
    return f"histogram_quantile({share}, {inner})"


_ROUTE = '{route=~"$route"}'
_FAILED = '{route=~"$route",code_class="5xx"}'
_REQUESTS = f"sum by (route) (rate(turnout_requests_total{_ROUTE}[$__rate_interval]))"
_ROUTED_BY = "min by (instance) (turnout_worker_snapshot_version)"
_BEHIND_ITS_OWN = f"max by (instance) (turnout_state_version) - on (instance) {_ROUTED_BY}"
# A proxy of its own has no state: what the control plane has is what it should route by.
_PROXY_BEHIND = (
    f"scalar(max(turnout_state_version)) - ({_ROUTED_BY} unless on (instance) turnout_state_version)"
)
SERVICE = (
    Row(
        "Requests",
        (
            Panel(
                "Rate by route",
                ((f"sum by (route) (rate(turnout_requests_total{_ROUTE}[$__rate_interval]))", "{{route}}"),),
                "reqps",
            ),
            Panel(
                "Errors by route",
                (
                    (
                        f"(sum by (route) (rate(turnout_requests_total{_FAILED}[$__rate_interval])) "
                        f"or 0 * {_REQUESTS}) / ({_REQUESTS} > 0)",
                        "{{route}}",
                    ),
                ),
                "percentunit",
                text="Answers of 500 and above: the backends' own, and the router's where none could answer.",
                low=0,
            ),
            Panel(
                "Answered by the router itself",
                (("sum by (reason) (rate(turnout_refusals_total[$__rate_interval]))", "{{reason}}"),),
                "reqps",
                text="Refused or given up, by the reason that the client was told.",
            ),
        ),
    ),
    Row(
        "Latency",
        (
            Panel(
                "Router's own overhead",
                (
                    (_percentile(0.5, "overhead", "route", _ROUTE), "p50 {{route}}"),
                    (_percentile(0.99, "overhead", "route", _ROUTE), "p99 {{route}}"),
                ),
                "s",
                text="What a request took without its backend's time.",
            ),
            Panel(
                "Backends, p50",
                ((_percentile(0.5, "backend_duration", "backend"), "{{backend}}"),),
                "s",
            ),
            Panel(
                "Backends, p99",
                ((_percentile(0.99, "backend_duration", "backend"), "{{backend}}"),),
                "s",
            ),
        ),
    ),
    Row(
        "Backends",
        (
            Panel(
                "Connections",
                (
                    ("sum by (backend) (turnout_pool_open_connections)", "open {{backend}}"),
                    ("sum by (backend) (turnout_pool_outstanding_requests)", "in use {{backend}}"),
                ),
            ),
            Panel(
                "Waiting for a connection",
                (
                    ("sum by (backend) (turnout_pool_waiting_requests)", "now {{backend}}"),
                    (
                        "sum by (backend) (rate(turnout_pool_waits_total[$__rate_interval]))",
                        "per s {{backend}}",
                    ),
                ),
            ),
            Panel(
                "Failures",
                (
                    (
                        "sum by (backend) (rate(turnout_connection_failures_total[$__rate_interval]))",
                        "connections {{backend}}",
                    ),
                    (
                        "sum by (backend) (rate(turnout_retries_total[$__rate_interval]))",
                        "retries {{backend}}",
                    ),
                    (
                        "sum by (backend) (turnout_backend_addresses_set_aside)",
                        "addresses set aside {{backend}}",
                    ),
                    (
                        "sum by (backend, reason) (rate(turnout_pool_refusals_total[$__rate_interval]))",
                        "{{reason}} {{backend}}",
                    ),
                ),
            ),
        ),
    ),
    Row(
        "Workers and Redis",
        (
            Panel("Workers", (("sum(turnout_workers)", "workers"),), kind="stat", width=4),
            Panel(
                "Client connections",
                (("sum(turnout_worker_client_connections)", "open"),),
                kind="stat",
                width=4,
            ),
            Panel(
                "Not confirmed by Redis",
                (
                    (
                        "max by (instance, worker) (turnout_worker_oldest_batch_seconds)",
                        "{{instance}} {{worker}}",
                    ),
                ),
                "s",
                text="Age of the oldest counts that Redis has not taken: where it grows, Redis is away.",
                limit=10,
            ),
            Panel(
                "Snapshot's age and version",
                (
                    ("max by (instance) (turnout_worker_snapshot_age_seconds)", "age {{instance}}"),
                    (f"{_BEHIND_ITS_OWN} or {_PROXY_BEHIND}", "versions behind {{instance}}"),
                ),
                "s",
            ),
            Panel(
                "Outcomes",
                (("sum by (status) (rate(turnout_outcomes_total[$__rate_interval]))", "{{status}}"),),
                "cps",
            ),
            Panel(
                "Statistics",
                (
                    ("max by (instance) (turnout_report_duration_seconds)", "took {{instance}}"),
                    ("time() - min(turnout_report_timestamp_seconds)", "age of the oldest"),
                ),
                "s",
            ),
            Panel(
                "Redis",
                (("min by (instance) (turnout_redis_up)", "{{instance}}"),),
                kind="stat",
                text="As the control processes see it.",
                mappings=(("1", "answers", "green"), ("0", "away", "red")),
            ),
        ),
    ),
)
