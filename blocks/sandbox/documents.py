"""Schemas as the services publish them: fal's OpenAPI documents, WaveSpeed's request schemas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .models import Model

JSON = "application/json"


def as_published(schema: Any) -> Any:
    """A plain schema in the services' own dialect: hints for a form, an order for people."""
    if isinstance(schema, list):
        return [as_published(each) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    told = {
        key: as_published(each) for key, each in schema.items() if key not in ("media", "hidden")
    }
    if media := schema.get("media"):
        told |= {"_fal_ui_field": media, "x-accept": f"{media}/*", "x-ui-component": "uploader"}
    if schema.get("hidden") is True:
        told["x-hidden"] = True
    if isinstance(properties := schema.get("properties"), Mapping):
        told["x-fal-order-properties"] = told["x-order-properties"] = list(properties)
    return told


def fal_item(model: Model, *, expanded: bool) -> dict[str, Any]:
    """An item of `GET /v1/models`."""
    kind = model.makes
    item: dict[str, Any] = {
        "endpoint_id": model.endpoint,
        "metadata": {
            "display_name": model.endpoint.partition("/")[2],
            "category": f"text-to-{kind}",
            "description": f"{model.endpoint}, drawn by the sandbox.",
            "status": "active",
            "tags": [],
            "kind": "inference",
        },
    }
    return {**item, "openapi": document(model)} if expanded else item


def document(model: Model) -> dict[str, Any]:
    """fal's document of an endpoint (says 3.0.4, is JSON Schema)."""
    name = "".join(part.capitalize() for part in model.endpoint.replace("-", "/").split("/"))
    own, schemas = f"/{model.endpoint}", "#/components/schemas"
    return {
        "openapi": "3.0.4",
        "info": {"title": f"Queue OpenAPI for {model.endpoint}", "version": "1.0.0"},
        "components": {
            "schemas": {
                f"{name}Input": {"title": "Input", **as_published(model.schema)},
                f"{name}Output": result_schema(model),
                "File": {"type": "object", "properties": {"url": {"type": "string"}}},
            }
        },
        "paths": {
            own: {
                "post": {
                    "requestBody": {
                        "required": True,
                        "content": {JSON: {"schema": {"$ref": f"{schemas}/{name}Input"}}},
                    }
                }
            },
            f"{own}/requests/{{request_id}}": {
                "get": {
                    "responses": {
                        "200": {"content": {JSON: {"schema": {"$ref": f"{schemas}/{name}Output"}}}}
                    }
                }
            },
        },
    }


def result_schema(model: Model) -> dict[str, Any]:
    """What comes: the fields of the card, the clip's own with a file in it."""
    properties = {
        name: {} if each.get("type") == "any" else dict(each)
        for name, each in model.output_schema.get("properties", {}).items()
    }
    name, *rest = model.output.strip("/").split("/")
    file = {"$ref": "#/components/schemas/File"}
    if rest[:1] == ["0"]:
        properties[name] = {"type": "array", "items": file}
    elif rest:
        properties[name] = file
    return {"type": "object", "title": "Output", "properties": properties}
