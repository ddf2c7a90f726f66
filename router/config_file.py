"""Which settings does a configuration file hold, and on which lines is it wrong?"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from msgspec.structs import replace as with_fields

from router import settings_checks, yaml_document
from router.problems import ABSENT, InvalidConfiguration, Problem
from router.settings import Experiment, Settings, UnitSource
from router.typed_reader import TypedReader


def load(source: Path | str) -> Settings:
    """The settings in a file, or in a text; `InvalidConfiguration` names every mistake with its line.

    >>> load("backends: {a: {url: 'http://127.0.0.1:9001'}}\\nroutes: [{path: /, backend: a}]").routes[0].path
    '/'
    """
    return _load(source)[1]


def load_data(source: Path) -> object:
    """The plain data of a file, as written, where `load` can use it; `InvalidConfiguration` as there."""
    return _load(source)[0]


def _load(source: Path | str) -> tuple[object, Settings]:
    name = str(source) if isinstance(source, Path) else "configuration"
    text = _text(source) if isinstance(source, Path) else source
    document = yaml_document.read(text)
    if document.problems:
        raise InvalidConfiguration(document.problems, name)
    try:
        return document.data, read_settings(document.data)
    except InvalidConfiguration as error:
        located = [replace(problem, line=document.line(problem.path)) for problem in error.problems]
        located.sort(key=lambda problem: problem.line or 0)
        raise InvalidConfiguration(located, name) from None


def read_settings(data: object) -> Settings:
    """The settings in plain data, as JSON or YAML give it; `InvalidConfiguration` names every mistake."""
    reader = TypedReader(partial(settings_checks.check, settings_checks.Names.of(data)))
    settings: Settings = reader.read(Settings, {} if data is None else data, ())
    if reader.problems:
        raise InvalidConfiguration(reader.problems)
    completed = {name: _with_cookie_source(each) for name, each in settings.experiments.items()}
    return with_fields(settings, experiments=completed)


def _with_cookie_source(experiment: Experiment) -> Experiment:
    """A cookie that is given is also read: the last source, where the operator has not placed it."""
    cookie = experiment.cookie
    if cookie is None or any(source.cookie == cookie.name for source in experiment.unit):
        return experiment
    return with_fields(experiment, unit=(*experiment.unit, UnitSource(cookie=cookie.name)))


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        wrong = f"cannot be read: {error.strerror}"
    except UnicodeDecodeError as error:
        wrong = f"is not UTF-8 text at byte {error.start}"
    raise InvalidConfiguration([Problem((), ABSENT, wrong, "a YAML file in UTF-8")], str(path))
