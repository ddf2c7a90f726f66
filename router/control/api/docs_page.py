"""How does a reader see the API's document, without anything from outside?"""

from __future__ import annotations

import json
from html import escape
from typing import Any

SECURITY_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
code, pre { font: 14px/1.4 ui-monospace, monospace; }
pre { overflow: auto; background: #8881; padding: .5rem; }
summary { cursor: pointer; padding: .25rem 0; } details details { margin-left: 1rem; }
.method { display: inline-block; width: 4.5rem; font-weight: 700; }
td, th { text-align: left; padding: 0 1rem 0 0; }
:root { color-scheme: light dark; }
"""


def docs_page(document: dict[str, Any]) -> str:
    """A page of HTML that shows an OpenAPI document: its operations and its types."""
    operations = "".join(
        _operation(path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    )
    schemas = "".join(
        f'<details id="{escape(name)}"><summary><code>{escape(name)}</code> {_text(schema)}</summary>'
        f"{_json(schema)}</details>"
        for name, schema in sorted(document["components"]["schemas"].items())
    )
    title = escape(f"{document['info']['title']} {document['info']['version']}")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>'
        f'<h1>{title}</h1><p>The same as <a href="openapi.json">openapi.json</a>. A caller shows its token: '
        f"<code>Authorization: Bearer TOKEN</code>.</p><h2>Operations</h2>{operations}"
        f"<h2>Types</h2>{schemas}</body></html>"
    )


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    parameters = "".join(
        f"<tr><td><code>{escape(each['name'])}</code></td><td>{each['in']}</td>"
        f"<td>{'required' if each['required'] else ''}</td><td>{_kind(each['schema'])}</td></tr>"
        for each in operation["parameters"]
    )
    body = operation.get("requestBody")
    sent = f"<p>Body: {_kind(body['content']['application/json']['schema'])}</p>" if body else ""
    answers = "".join(
        f"<tr><td>{status}</td><td>{escape(answer['description'])}</td><td>{_content(answer)}</td></tr>"
        for status, answer in sorted(operation["responses"].items())
    )
    return (
        f'<details><summary><span class="method">{method.upper()}</span> <code>{escape(path)}</code> '
        f"{escape(operation['summary'])}</summary><p>{escape(operation['description'])}</p>"
        f"<table>{parameters}</table>{sent}<table>{answers}</table></details>"
    )


def _content(answer: dict[str, Any]) -> str:
    return " ".join(_kind(each["schema"]) for each in answer.get("content", {}).values())


def _kind(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}"><code>{name}</code></a>'
    return f"<code>{escape(json.dumps(schema))}</code>"


def _text(schema: dict[str, Any]) -> str:
    return escape(schema.get("description", "").partition("\n")[0])


def _json(schema: dict[str, Any]) -> str:
    return f"<pre>{escape(json.dumps(schema, indent=2))}</pre>"
