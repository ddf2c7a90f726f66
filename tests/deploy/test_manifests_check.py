"""The check of Kubernetes' objects: it finds what is misspelled, also where models look away."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from deploy.check.manifests import mistakes, render
from tests.deploy.files import objects


def of_kind(kind: str) -> dict[str, Any]:
    return deepcopy(next(each for each in objects("staging") if each["kind"] == kind))


def test_what_is_shipped_has_none() -> None:
    assert list(mistakes(objects("staging"))) == []


@pytest.mark.parametrize("kind", ["Deployment", "NetworkPolicy", "ServiceMonitor", "PrometheusRule"])
def test_an_unknown_field_is_one(kind: str) -> None:
    wrong = of_kind(kind)
    wrong["spec"]["replicass"] = 1
    assert all("replicass" in mistake for mistake in mistakes([wrong]))
    assert list(mistakes([wrong]))


def test_so_is_one_deep_inside_an_operators_object() -> None:
    wrong = of_kind("ServiceMonitor")
    wrong["spec"]["endpoints"][0]["intervall"] = "3s"
    assert list(mistakes([wrong])) == [
        f"ServiceMonitor {wrong['metadata']['name']}: unknown field spec.endpoints[0].intervall"
    ]


def test_and_a_wrong_type() -> None:
    wrong = of_kind("ServiceMonitor")
    wrong["spec"]["endpoints"] = "metrics"
    (mistake,) = mistakes([wrong])
    assert "spec.endpoints" in mistake


def test_and_a_kind_that_nobody_knows() -> None:
    wrong = {**of_kind("Deployment"), "kind": "Deploiment"}
    assert [mistake for mistake in mistakes([wrong]) if "knows no apps/v1 Deploiment" in mistake]


def test_an_overlay_that_is_not_there_is_said() -> None:
    with pytest.raises(ValueError, match="nowhere"):
        render("nowhere")
