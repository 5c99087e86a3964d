"""A session of fal's official client; prints what it has seen as JSON.

In a process of its own, since the client reads its hosts when it is imported.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import fal_client
import httpx
from fal_client import client as internals

MODEL = "fal-ai/magi-distilled"
PROMPT = {"prompt": "The old sea captain stares intently"}


def main(rest_url: str, media_url: str, picture: str, video: str) -> None:
    # These two hosts cannot be set from outside.
    internals.REST_URL, internals.CDN_URL = rest_url, media_url
    seen: dict[str, Any] = {}

    seen["picture_url"] = fal_client.upload_file(Path(picture))
    internals.MULTIPART_THRESHOLD, internals.MULTIPART_CHUNK_SIZE = 1000, 4000
    seen["video_url"] = fal_client.upload_file(Path(video))

    followed = fal_client.submit(
        f"{MODEL}/image-to-video", {**PROMPT, "seed": 7, "image_url": seen["picture_url"]}
    )
    events = list(followed.iter_events(with_logs=True, interval=0.05))
    seen["events"] = list(dict.fromkeys(type(event).__name__ for event in events))
    seen["followed_id"] = followed.request_id
    seen["followed"] = followed.get()
    seen["clip_bytes"] = len(httpx.get(seen["followed"]["video"]["url"]).content)

    first = fal_client.submit(MODEL, {**PROMPT, "seed": 8})
    second = fal_client.submit(MODEL, {**PROMPT, "seed": 9})
    status = second.status(with_logs=True)
    seen["position"] = status.position if isinstance(status, fal_client.Queued) else None
    second.cancel()
    seen["cancelled_id"] = second.request_id
    try:
        second.get()
    except fal_client.FalClientHTTPError as error:
        seen["after_cancel"] = error.status_code
    seen["first"] = first.get()

    updates: list[str] = []
    extension = {**PROMPT, "seed": 10, "video_url": seen["video_url"]}
    seen["subscribed"] = fal_client.subscribe(
        f"{MODEL}/extend-video",
        extension,
        on_queue_update=lambda update: updates.append(type(update).__name__),
    )
    seen["updates"] = sorted(set(updates))
    seen["direct"] = fal_client.run(MODEL, {**PROMPT, "seed": 11})

    try:
        fal_client.submit(MODEL, {"seed": 1}).get()
    except fal_client.FalClientHTTPError as error:
        seen["invalid"] = [
            error.status_code,
            json.loads(error.response.content)["detail"][0]["loc"],
        ]
    print(json.dumps(seen))


if __name__ == "__main__":
    main(*sys.argv[1:])
