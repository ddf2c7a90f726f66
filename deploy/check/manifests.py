"""Is every object that kustomize renders one that Kubernetes and the Prometheus operator know, by field?

Kubernetes' own kinds are held against its published schemas, strictly: an unknown field is an error. The
operator's kinds are held against models that were generated from its resource definitions. Those models pass
over what they do not know, so that the object is written out again from them, and must still be the same.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

import kubernetes_validate
import yaml
from cloudcoil.models.prometheus_operator import v1 as operator
from pydantic import BaseModel, ValidationError

from deploy.check.tools import PYTHON, ROOT, executable

VERSIONS = ("1.31", "1.37")
"""The oldest and the newest Kubernetes that the objects must be right for."""

_OPERATOR: dict[str, type[BaseModel]] = {
    "ServiceMonitor": operator.ServiceMonitor,
    "PrometheusRule": operator.PrometheusRule,
}

Object = dict[str, Any]


def render(overlay: str) -> list[Object]:
    """The objects of an overlay, as kustomize renders them."""
    command = [executable("kubectl", PYTHON), "kustomize", f"deploy/kubernetes/overlays/{overlay}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(f"{overlay}: {done.stderr.strip()}")
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def mistakes(objects: list[Object]) -> Iterator[str]:
    """What is wrong, one line each."""
    for each in objects:
        name = f"{each['kind']} {each['metadata']['name']}"
        found = _of_operator(each) if each["kind"] in _OPERATOR else _of_kubernetes(each)
        yield from (f"{name}: {mistake}" for mistake in found)


def _of_kubernetes(each: Object) -> Iterator[str]:
    for version in VERSIONS:
        try:
            kubernetes_validate.validate(each, version, strict=True)
        except kubernetes_validate.SchemaNotFoundError:
            yield f"Kubernetes {version} knows no {each['apiVersion']} {each['kind']}"
        except kubernetes_validate.ValidationError as error:
            where = ".".join(str(step) for step in error.path)
            yield f"in Kubernetes {version}: {where}: {error.message}"


def _of_operator(each: Object) -> Iterator[str]:
    try:
        model = _OPERATOR[each["kind"]].model_validate(each)
    except ValidationError as error:
        for fault in error.errors():
            yield f"{'.'.join(str(step) for step in fault['loc'])}: {fault['msg']}"
        return
    known = model.model_dump(mode="json", by_alias=True, exclude_unset=True)
    yield from (f"unknown field {path}" for path in _lost(each, known, ""))


def _lost(given: Any, kept: Any, path: str) -> Iterator[str]:
    """The paths of what is in ``given`` and not in ``kept``."""
    if isinstance(given, Mapping):
        for key, value in given.items():
            if not isinstance(kept, Mapping) or key not in kept:
                yield f"{path}.{key}".lstrip(".")
            else:
                yield from _lost(value, kept[key], f"{path}.{key}")
    elif isinstance(given, list):
        for at, (value, left) in enumerate(zip(given, kept, strict=True)):
            yield from _lost(value, left, f"{path}[{at}]")
