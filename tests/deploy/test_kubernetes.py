"""Kubernetes: every pod is locked, probed, limited and spread; no door is open that need not be."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from router.config_file import load
from router.description import describe
from router.hosting import DRAIN_SECONDS
from tests.deploy.files import DEPLOY, OVERLAYS, ROOT, exact, objects, pod_specs, services

PLANES = ("turnout-proxy", "turnout-control")

pytestmark = pytest.mark.parametrize("overlay", OVERLAYS)


def named(overlay: str, kind: str, name: str) -> dict[str, Any]:
    (found,) = (each for each in objects(overlay) if (each["kind"], each["metadata"]["name"]) == (kind, name))
    return found


def containers(overlay: str) -> list[dict[str, Any]]:
    return [each for spec in pod_specs(overlay).values() for each in spec["containers"]]


def option(container: dict[str, Any], name: str) -> str:
    (found,) = (word.partition("=")[2] for word in container["args"] if word.startswith(f"--{name}="))
    return str(found)


def test_every_object_is_in_the_environments_namespace(overlay: str) -> None:
    places = {each["metadata"].get("namespace") for each in objects(overlay) if each["kind"] != "Namespace"}
    assert places == {f"turnout-{overlay}"}
    labels = named(overlay, "Namespace", f"turnout-{overlay}")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_every_pod_is_locked(overlay: str) -> None:
    for spec in pod_specs(overlay).values():
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] > 0
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
    for container in containers(overlay):
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"] is True
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}


def test_every_container_is_exact_and_limited(overlay: str) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    for container in containers(overlay):
        assert exact(container["image"])
        if container["image"].startswith("turnout"):
            assert container["image"].rpartition(":")[2] == version
        for bound in ("requests", "limits"):
            assert {"cpu", "memory", "ephemeral-storage"} <= set(container["resources"][bound])


def test_whoever_has_a_port_is_probed_on_it(overlay: str) -> None:
    for container in containers(overlay):
        ports = {port["name"] for port in container.get("ports", ())}
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert (probe in container) is bool(ports)
            asked = container.get(probe, {}).get("httpGet")
            assert asked is None or asked["port"] in ports


def test_a_drain_fits_into_the_grace_period(overlay: str) -> None:
    spec = pod_specs(overlay)["turnout-proxy"]
    delay = float(option(spec["containers"][0], "drain-delay"))
    # The supervisor gives its workers 10 s more than they drain for, and then the metrics' process 10 s.
    assert spec["terminationGracePeriodSeconds"] > delay + DRAIN_SECONDS + 10 + 10
    probe = spec["containers"][0]["readinessProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] + probe["timeoutSeconds"] < delay


def test_a_proxy_starts_as_many_workers_as_it_may_use_cores(overlay: str) -> None:
    (container,) = pod_specs(overlay)["turnout-proxy"]["containers"]
    assert option(container, "workers") == container["resources"]["limits"]["cpu"]


def test_the_planes_spread_scale_and_may_not_all_be_evicted(overlay: str) -> None:
    for plane in PLANES:
        spread = pod_specs(overlay)[plane]["topologySpreadConstraints"]
        assert "kubernetes.io/hostname" in {each["topologyKey"] for each in spread}
        selector = named(overlay, "PodDisruptionBudget", plane)["spec"]["selector"]
        assert selector == named(overlay, "Deployment", plane)["spec"]["selector"]
    scaler = named(overlay, "HorizontalPodAutoscaler", "turnout-proxy")["spec"]
    assert scaler["scaleTargetRef"]["name"] == "turnout-proxy"
    assert "replicas" not in named(overlay, "Deployment", "turnout-proxy")["spec"]
    assert named(overlay, "Deployment", "turnout-control")["spec"]["replicas"] == 2


def test_services_reach_ports_that_there_are_and_none_leaves_the_cluster(overlay: str) -> None:
    for service in services(overlay).values():
        selector = service["spec"]["selector"].items()
        labels = [
            each["spec"]["template"]
            for each in objects(overlay)
            if "template" in each.get("spec", {})
            and selector <= each["spec"]["template"]["metadata"]["labels"].items()
        ]
        (pod,) = labels
        ports = {port["name"] for port in pod["spec"]["containers"][0]["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
        assert service["spec"].get("type", "ClusterIP") == "ClusterIP"


def test_the_ingress_leads_to_the_data_port_only_and_by_tls(overlay: str) -> None:
    spec = named(overlay, "Ingress", "turnout")["spec"]
    backends = [path["backend"]["service"] for rule in spec["rules"] for path in rule["http"]["paths"]]
    assert backends == [{"name": "turnout", "port": {"name": "http"}}]
    assert [rule["host"] for rule in spec["rules"]] == spec["tls"][0]["hosts"]
    (port,) = services(overlay)["turnout"]["spec"]["ports"]
    assert port["targetPort"] == "http"


def test_everything_is_shut_and_each_door_is_for_somebody(overlay: str) -> None:
    deny = named(overlay, "NetworkPolicy", "default-deny")["spec"]
    assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    policies = [each["spec"] for each in objects(overlay) if each["kind"] == "NetworkPolicy"]
    assert all(rule.get("from") for policy in policies for rule in policy.get("ingress", ()))
    assert all(rule.get("to") for policy in policies for rule in policy.get("egress", ()))
    assert all("0.0.0.0/0" not in str(policy) for policy in policies)


def test_what_is_scraped_has_a_service_with_that_port_and_an_open_door(overlay: str) -> None:
    monitors = [each["spec"] for each in objects(overlay) if each["kind"] == "ServiceMonitor"]
    assert len(monitors) == len(PLANES)
    for monitor in monitors:
        wanted = monitor["selector"]["matchLabels"].items()
        (service,) = (
            each for each in services(overlay).values() if wanted <= each["metadata"]["labels"].items()
        )
        (endpoint,) = monitor["endpoints"]
        (port,) = (each for each in service["spec"]["ports"] if each["name"] == endpoint["port"])
        plane = service["spec"]["selector"]["app.kubernetes.io/component"]
        rules = named(overlay, "NetworkPolicy", f"turnout-{plane}")["spec"]["ingress"]
        open_to_monitoring = [rule["ports"] for rule in rules if "monitoring" in str(rule["from"])]
        assert [[{"protocol": "TCP", "port": port["port"]}]] == open_to_monitoring


def test_no_secret_is_in_a_file(overlay: str) -> None:
    assert [each for each in objects(overlay) if each["kind"] == "Secret"] == []
    for container in containers(overlay):
        for variable in container.get("env", ()):
            value = variable.get("value", "")
            assert "@" not in value
            assert not ("TOKEN" in variable["name"] or "KEY" in variable["name"]) or "valueFrom" in variable


def test_its_configuration_is_usable(overlay: str) -> None:
    settings = load(DEPLOY / "kubernetes" / "overlays" / overlay / "turnout.yaml")
    assert describe(settings).warnings == ()
