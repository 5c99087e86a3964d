"""Logos of the blocks: Prefect takes only http URLs for them, and there may be no network."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

LOGOS = {
    "shotreel-fal-account": ("#6d28d9", "fal"),
    "shotreel-wavespeed-account": ("#0369a1", "WS"),
    "shotreel-comfyui-account": ("#b45309", "CUI"),
    "shotreel-ledger": ("#166534", "$"),
    "shotreel-clips": ("#334155", "▶"),
}
"""Colour and word, by the block type's slug."""


def path_of(slug: str) -> str:
    return f"/sandbox/logos/{slug}.svg"


async def logo(request: Request) -> Response:
    found = LOGOS.get(request.path_params["slug"])
    if found is None:
        return Response(status_code=404)
    colour, word = found
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">'
        f'<rect width="64" height="64" rx="14" fill="{colour}"/>'
        '<text x="32" y="33" fill="#fff" font-family="sans-serif" font-weight="700" font-size="24"'
        f' text-anchor="middle" dominant-baseline="central">{word}</text></svg>'
    )
    return Response(svg, media_type="image/svg+xml")


ROUTE = Route("/sandbox/logos/{slug}.svg", logo)
