from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from .conftest import MODEL, Client, Run, decoded, web


def picture(width: int = 640, height: int = 360) -> bytes:
    """A PNG: dark on the left, bright on the right, a square in the middle."""
    image = Image.linear_gradient("L").rotate(90).resize((width, height)).convert("RGB")
    image.paste((250, 250, 250), (width // 2 - 40, height // 2 - 40, width // 2, height // 2))
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def fal_upload(client: Client, content: bytes) -> str:
    rest = client.urls["FAL_REST_URL"]
    url = f"{rest}/storage/auth/token?storage_type=fal-cdn-v3"
    token = client.fal.post(url, json={}).json()
    assert token["base_url"] == client.urls["FAL_MEDIA_URL"]
    headers = {
        "Authorization": f"{token['token_type']} {token['token']}",
        "Content-Type": "image/png",
        "X-Fal-File-Name": "sea front.png",
    }
    reply = web.post(f"{token['base_url']}/files/upload", content=content, headers=headers)
    return str(reply.json()["access_url"])


def fal_initiate(client: Client, content: bytes) -> str:
    url = f"{client.urls['FAL_REST_URL']}/storage/upload/initiate?storage_type=gcs"
    body = {"file_name": "sea.png", "content_type": "image/png"}
    ticket = client.fal.post(url, json=body).json()
    headers = {"Content-Type": "image/png"}
    assert web.put(ticket["upload_url"], content=content, headers=headers).status_code == 200
    return str(ticket["file_url"])


def fal_multipart(client: Client, content: bytes) -> str:
    headers = {"Authorization": "Bearer sandbox", "X-Fal-File-Name": "sea.png"}
    url = f"{client.urls['FAL_MEDIA_URL']}/files/upload/multipart"
    ticket = web.post(url, headers={**headers, "Content-Type": "image/png"}).json()
    root, half, parts = f"{ticket['access_url']}/multipart/{ticket['uploadId']}", len(content), []
    for number, part in enumerate((content[: half // 2], content[half // 2 :]), 1):
        reply = web.put(f"{root}/{number}", content=part, headers=headers)
        parts.append({"partNumber": number, "etag": reply.headers["etag"]})
    done = web.post(f"{root}/complete", json={"parts": parts}, headers=headers)
    assert done.status_code == 200
    return str(ticket["access_url"])


def fal_javascript_multipart(client: Client, content: bytes) -> str:
    """As fal's JavaScript client does above 90 MB: no key for the parts, their etags in JSON."""
    rest, body = client.urls["FAL_REST_URL"], {"file_name": "sea.png", "content_type": "image/png"}
    url = f"{rest}/storage/upload/initiate-multipart?storage_type=fal-cdn-v3"
    ticket = client.fal.post(url, json=body).json()
    place, _, query = ticket["upload_url"].partition("?")
    assert web.put(f"{place}/1", content=b"no signature").status_code == 403
    half, parts = len(content) // 2, []
    for number, part in enumerate((content[:half], content[half:]), 1):
        reply = web.put(f"{place}/{number}?{query}", content=part).json()
        parts.append({"partNumber": number, "etag": reply["etag"]})
    done = web.post(f"{place}/complete?{query}", json={"parts": parts})
    assert done.json() == {"status": "OK"}
    return str(ticket["file_url"])


def wavespeed_ticket(client: Client, content: bytes) -> str:
    body = {"filename": "sea.png", "size": len(content), "content_type": "image/png"}
    data = client.wavespeed.post("/api/v3/media/uploads", json=body).json()["data"]
    upload = data["upload"]
    reply = web.request(upload["method"], upload["url"], content=content, headers=upload["headers"])
    assert reply.status_code == 200
    return str(data["download_url"])


def wavespeed_form(client: Client, content: bytes) -> str:
    files = {"file": ("sea.png", content, "image/png")}
    data = client.wavespeed.post("/api/v3/media/upload/binary", files=files).json()["data"]
    assert (data["filename"], data["size"], data["type"]) == ("sea.png", len(content), "image")
    return str(data["download_url"])


@pytest.mark.parametrize(
    "upload",
    [
        fal_upload,
        fal_initiate,
        fal_multipart,
        fal_javascript_multipart,
        wavespeed_ticket,
        wavespeed_form,
    ],
)
def test_an_upload_can_be_read_back_without_a_key(client: Client, upload: Any) -> None:
    content = picture()
    reply = web.get(upload(client, content))
    assert reply.content == content
    assert reply.headers["content-type"] == "image/png"


@pytest.mark.parametrize("how", ["fal upload", "wavespeed upload", "data uri"])
def test_the_first_frame_is_the_input_image(run: Run, how: str) -> None:
    client = run(render="animatic")
    content = picture(900, 400)
    if how == "wavespeed upload":
        inputs = {"seed": 1, "aspect_ratio": "16:9", "resolution": "480p"}
        data = client.predict("v2", image=wavespeed_form(client, content), **inputs)
        url = client.prediction(data)["outputs"][0]
    else:
        data_uri = f"data:image/png;base64,{base64.b64encode(content).decode()}"
        image_url = fal_upload(client, content) if how == "fal upload" else data_uri
        endpoint = f"{MODEL}/image-to-video"
        inputs = {"seed": 1, "aspect_ratio": "16:9", "resolution": "480p"}
        ticket = client.submit(endpoint, image_url=image_url, **inputs)
        url = client.finish(ticket).json()["video"]["url"]
    frames = decoded(web.get(url, timeout=20).content)
    height, width = frames[0].shape
    with Image.open(io.BytesIO(content)) as image:
        # Covers the frame, the middle kept.
        scale = max(width / image.width, height / image.height)
        size = (round(image.width * scale), round(image.height * scale))
        whole = np.asarray(image.convert("L").resize(size), np.float32)
    top, left = (whole.shape[0] - height) // 2, (whole.shape[1] - width) // 2
    expected = 16 + whole[top : top + height, left : left + width] * 219 / 255
    away = np.abs(expected - frames[0].astype(np.float32))
    assert away.mean() < 3
    assert np.abs(expected - frames[60].astype(np.float32)).mean() > 15


def test_an_image_that_is_none_fails_the_job_unpaid(client: Client) -> None:
    url = fal_upload(client, b"no picture")
    result = client.finish(client.submit(f"{MODEL}/image-to-video", image_url=url))
    assert result.status_code == 422
    assert result.json()["detail"][0]["type"] == "file_download_error"
    assert client.told("charges")["units"] == "0"
    data = client.prediction(client.predict(image=url))
    assert (data["status"], data["code"]) == ("failed", 1402)


def test_clips_answer_ranges_with_one_etag(client: Client) -> None:
    url = client.finish(client.submit()).json()["video"]["url"]
    whole = web.get(url)
    part = web.get(url, headers={"Range": "bytes=100-199", "If-Range": whole.headers["etag"]})
    assert part.status_code == 206
    assert part.headers["content-range"] == f"bytes 100-199/{len(whole.content)}"
    assert part.content == whole.content[100:200]
    changed = web.get(url, headers={"Range": "bytes=100-199", "If-Range": '"other"'})
    assert changed.status_code == 200
    beyond = web.get(url, headers={"Range": "bytes=99999999-"})
    assert beyond.status_code == 416
    head = web.head(url)
    assert int(head.headers["content-length"]) == len(whole.content)


def test_a_clip_is_not_there_before_it_is_done(run: Run) -> None:
    client = run(latency_s=5)
    request_id = client.submit()["request_id"]
    media = client.urls["FAL_MEDIA_URL"]
    assert web.get(f"{media}/files/b/{request_id[:8]}/{request_id}.mp4").status_code == 404


def test_an_upload_without_a_key_is_refused(client: Client) -> None:
    for url in (
        f"{client.urls['FAL_REST_URL']}/storage/auth/token",
        f"{client.urls['FAL_MEDIA_URL']}/files/upload",
        f"{client.urls['WAVESPEED_URL']}/api/v3/media/uploads",
    ):
        assert web.post(url, content=b"{}").status_code == 401
