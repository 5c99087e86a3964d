"""Files in and out: clips and uploads, for fal (https://v3.fal.media, https://rest.fal.ai) and
WaveSpeed. Media URLs are public, as the services' are.

After the official fal Python client (storage) and WaveSpeed docs, Upload files.
"""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import AsyncIterator
from email.parser import BytesParser
from email.policy import HTTP
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from .extension import frame_of
from .faults import Facts, Rule
from .jobs import Job, phase
from .store import Upload
from .studio import Studio, bearer, facts_of
from .web import (
    MAX_UPLOAD_BYTES,
    AnswerError,
    DropError,
    answer,
    body_bytes,
    body_object,
    iso,
    own_url,
)

_SAFE = re.compile(r"[^A-Za-z0-9._-]+")
_RANGE = re.compile(r"bytes=(\d+)-(\d*)$")


class Media:
    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    def routes(self) -> list[Route]:
        fal, wavespeed = "/fal/media", "/wavespeed/media"
        part = fal + "/files/u/{upload_id}/{name}/multipart/{multipart_id}"
        signed = fal + "/files/m/{upload_id}/{name}"
        routes = [
            Route("/fal/rest/storage/auth/token", self.fal_token, methods=["POST"]),
            Route("/fal/rest/storage/upload/initiate", self.fal_initiate, methods=["POST"]),
            Route(
                "/fal/rest/storage/upload/initiate-multipart",
                self.fal_initiate_multipart,
                methods=["POST"],
            ),
            Route(f"{fal}/files/upload", self.fal_upload, methods=["POST"]),
            Route(f"{fal}/files/upload/multipart", self.fal_multipart, methods=["POST"]),
            Route(part + "/complete", self.fal_complete, methods=["POST"]),
            Route(part + "/{number:int}", self.fal_part, methods=["PUT"]),
            Route(signed + "/complete", self.fal_signed_complete, methods=["POST"]),
            Route(signed + "/{number:int}", self.fal_signed_part, methods=["PUT"]),
        ]
        for root in (fal, wavespeed):
            routes += [
                Route(root + "/files/b/{shard}/{name}", self.clip),
                Route(root + "/files/u/{upload_id}/{name}", self.download),
                Route(root + "/files/u/{upload_id}/{name}", self.put, methods=["PUT"]),
            ]
        return routes

    # clips ------------------------------------------------------------------------------------

    async def clip(self, request: Request) -> Response:
        request_id = request.path_params["name"].partition(".")[0]
        job = self._studio.store.job(request_id)
        ended = job is not None and phase(job, self._studio.now()) == "ended"
        if job is None or job.deleted or not job.succeeds or not ended:
            return Response("Not Found", 404)
        return await self.send_clip(request, job)

    async def send_clip(self, request: Request, job: Job) -> Response:
        """The clip of a job that has ended well, or what a fault makes of it."""
        wanted = request.headers.get("range")
        if request.method == "GET":
            self._studio.store.add_download(job.request_id, request.url.path, wanted)
        rule = await self._studio.trouble("media", facts_of(job))
        codes = {"not_found": 404, "gone": 410, "forbidden": 403}
        if rule and rule.do in codes:
            return Response(rule.do, codes[rule.do])
        if rule and rule.do == "redirect_loop":
            return RedirectResponse(str(request.url), 302)
        if rule and rule.do == "endless":
            return StreamingResponse(_endless(), media_type="video/mp4")
        if rule and rule.do == "webp":
            return Response(await asyncio.to_thread(moving_picture), 200, media_type="image/webp")
        path = await self._studio.clips.ready(job)
        if self._studio.makes_image(job):
            still = await asyncio.to_thread(frame_of, path.read_bytes(), 0)
            return Response(still, media_type="image/png")
        if rule:
            return await asyncio.to_thread(_spoiled, path, rule, wanted)
        return FileResponse(path, media_type="video/mp4", headers=_headers(job, path))

    async def download(self, request: Request) -> Response:
        upload = self._studio.store.upload(request.path_params["upload_id"])
        if upload is None or upload.sha256 is None:
            return Response("Not Found", 404)
        path = self._studio.clips.input_path(upload.sha256)
        headers = {"etag": f'"{upload.sha256}"'}
        return FileResponse(path, media_type=upload.content_type, headers=headers)

    # fal uploads ------------------------------------------------------------------------------

    async def fal_token(self, request: Request) -> Response:
        await self._fal_entry(request)
        base_url = f"{own_url(request)}/fal/media"
        expires = iso(self._studio.now() + 3600)
        token = {"token": "sandbox", "token_type": "Bearer", "base_url": base_url}
        return answer({**token, "expires_at": expires})

    async def fal_initiate(self, request: Request) -> Response:
        await self._fal_entry(request)
        body = await body_object(request)
        upload = self._expect(str(body.get("file_name", "file")), body.get("content_type"))
        url = self._url(request, "fal", upload)
        return answer({"upload_url": url, "file_url": url})

    async def fal_upload(self, request: Request) -> Response:
        await self._studio.trouble("upload", Facts("fal"))
        _require_token(request)
        name = request.headers.get("x-fal-file-name", "file")
        content = await body_bytes(request, MAX_UPLOAD_BYTES)
        upload = self._store(self._expect(name, request.headers.get("content-type")), content)
        return answer({"access_url": self._url(request, "fal", upload)})

    async def fal_multipart(self, request: Request) -> Response:
        await self._studio.trouble("upload", Facts("fal"))
        _require_token(request)
        name = request.headers.get("x-fal-file-name", "file")
        upload = self._expect(name, request.headers.get("content-type"))
        url = self._url(request, "fal", upload)
        return answer({"access_url": url, "uploadId": upload.upload_id})

    async def fal_initiate_multipart(self, request: Request) -> Response:
        """Of fal's JavaScript client, above 90 MB: a signed URL, below which the parts go."""
        await self._fal_entry(request)
        body = await body_object(request)
        upload = self._expect(str(body.get("file_name", "file")), body.get("content_type"))
        url = self._url(request, "fal", upload)
        signed = url.replace("/files/u/", "/files/m/") + f"?signature={upload.upload_id}"
        return answer({"upload_url": signed, "file_url": url})

    async def fal_signed_part(self, request: Request) -> Response:
        _require_signature(request)
        return await self._take_part(request)

    async def fal_signed_complete(self, request: Request) -> Response:
        _require_signature(request)
        return await self._put_together(request)

    async def fal_part(self, request: Request) -> Response:
        _require_token(request)
        return await self._take_part(request)

    async def fal_complete(self, request: Request) -> Response:
        _require_token(request)
        return await self._put_together(request)

    async def _take_part(self, request: Request) -> Response:
        upload = self._expected(request)
        sha256 = self._studio.clips.keep(await body_bytes(request, MAX_UPLOAD_BYTES))
        number = request.path_params["number"]
        # A part is an upload of its own, found again by its number.
        self._studio.store.put_upload(
            Upload(f"{upload.upload_id}.{number}", "part", "application/octet-stream", 0, sha256)
        )
        etag = f'"{sha256}"'
        # The Python client reads the header, the JavaScript client the body.
        return answer({"partNumber": number, "etag": etag}, 200, {"etag": etag})

    async def _put_together(self, request: Request) -> Response:
        upload = self._expected(request)
        parts = (await body_object(request)).get("parts", [])
        parts = parts if isinstance(parts, list) else []
        numbers = [part.get("partNumber") for part in parts if isinstance(part, dict)]
        content = bytearray()
        # fal's client names the parts in the order in which they have arrived.
        for number in sorted(number for number in numbers if isinstance(number, int)):
            stored = self._studio.store.upload(f"{upload.upload_id}.{number}")
            if stored is None or stored.sha256 is None:
                return answer({"detail": f"Part {number} is missing"}, 400)
            content += self._studio.clips.input_path(stored.sha256).read_bytes()
            if len(content) > MAX_UPLOAD_BYTES:
                return answer({"detail": "File too large"}, 413)
        self._store(upload, bytes(content))
        return answer({"status": "OK"})

    async def _fal_entry(self, request: Request) -> None:
        await self._studio.trouble("upload", Facts("fal"))
        if bearer(request, "Key") is None:
            raise AnswerError(answer({"detail": "Authentication is required"}, 401))

    # WaveSpeed uploads ------------------------------------------------------------------------

    async def wavespeed_ticket(self, request: Request) -> dict[str, Any]:
        """`data` of a ticket: where to PUT the file, where it can then be read."""
        body = await body_object(request)
        upload = self._expect(str(body.get("filename", "file")), body.get("content_type"))
        url = self._url(request, "wavespeed", upload)
        headers = {"Content-Type": upload.content_type}
        return {"upload": {"method": "PUT", "url": url, "headers": headers}, "download_url": url}

    async def wavespeed_form(self, request: Request) -> dict[str, Any] | None:
        """`data` of a multipart upload; None if there is no field `file`."""
        content = await body_bytes(request, MAX_UPLOAD_BYTES)
        file = form_file(request.headers.get("content-type", ""), content, "file")
        if file is None:
            return None
        name, content_type, content = file
        upload = self._store(self._expect(name, content_type), content)
        url = self._url(request, "wavespeed", upload)
        kind = upload.content_type.partition("/")[0]
        return {
            "type": kind,
            "url": url,
            "download_url": url,
            "filename": upload.file_name,
            "size": upload.size,
        }

    async def put(self, request: Request) -> Response:
        """The signed URL of a ticket: no key."""
        upload = self._expected(request)
        self._store(upload, await body_bytes(request, MAX_UPLOAD_BYTES))
        return Response("", 200)

    # ------------------------------------------------------------------------------------------

    def _expect(self, name: str, content_type: object) -> Upload:
        kind = content_type if isinstance(content_type, str) else "application/octet-stream"
        safe = _SAFE.sub("_", Path(name).name)[-80:] or "file"
        upload = Upload(uuid.uuid4().hex, safe, kind, 0, None)
        self._studio.store.put_upload(upload)
        return upload

    def _expected(self, request: Request) -> Upload:
        upload = self._studio.store.upload(request.path_params["upload_id"])
        if upload is None:
            raise AnswerError(Response("Not Found", 404))
        return upload

    def _store(self, upload: Upload, content: bytes) -> Upload:
        sha256 = self._studio.clips.keep(content)
        stored = Upload(
            upload.upload_id, upload.file_name, upload.content_type, len(content), sha256
        )
        self._studio.store.put_upload(stored)
        return stored

    def _url(self, request: Request, service: str, upload: Upload) -> str:
        root = f"{own_url(request)}/{service}/media"
        return f"{root}/files/u/{upload.upload_id}/{upload.file_name}"


def form_file(content_type: str, body: bytes, field: str) -> tuple[str, str, bytes] | None:
    """(file name, content type, bytes) of a file field of a multipart/form-data body."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1", "replace")
    for part in BytesParser(policy=HTTP).parsebytes(head + body).walk():
        if part.get_param("name", header="content-disposition") != field:
            continue
        content = part.get_payload(decode=True)
        if isinstance(content, bytes):
            return part.get_filename() or "file", part.get_content_type(), content
    return None


def _require_token(request: Request) -> None:
    """The CDN takes the token that `storage/auth/token` gave, or a key."""
    if bearer(request, "Bearer") != "sandbox" and bearer(request, "Key") is None:
        raise AnswerError(answer({"detail": "Authentication is required"}, 401))


def _require_signature(request: Request) -> None:
    """A signed URL needs no key; its signature is in its query."""
    if request.query_params.get("signature") != request.path_params["upload_id"]:
        raise AnswerError(answer({"detail": "Forbidden"}, 403))


def _headers(job: Job, path: Path) -> dict[str, str]:
    # The name is a hash of what the clip is made of: it stays when the clip is rendered again.
    return {"etag": f'"{path.stem}"', "x-fal-request-id": job.request_id}


def _spoiled(path: Path, rule: Rule, wanted: str | None) -> Response:
    """A clip, or the wanted rest of it, that arrives short or with wrong bytes."""
    content = path.read_bytes()
    whole, first = len(content), 0
    if match := _RANGE.match(wanted or ""):
        first = int(match[1])
        content = content[first : int(match[2]) + 1 if match[2] else None]
    headers = {"etag": f'"{path.stem}"', "content-length": str(len(content))}
    if match:
        headers["content-range"] = f"bytes {first}-{first + len(content) - 1}/{whole}"
    if rule.do == "corrupt":
        content = bytes(255 - byte for byte in content)
        return Response(content, 206 if match else 200, headers, "video/mp4")
    sent = content[: int(len(content) * min(max(rule.number("fraction", 0.5), 0.0), 1.0))]
    return StreamingResponse(_short(sent), 206 if match else 200, headers, "video/mp4")


def moving_picture() -> bytes:
    """An animated WEBP, as ComfyUI's SaveAnimatedWEBP writes."""
    pictures = [Image.new("RGB", (64, 36), colour) for colour in ("navy", "teal", "olive")]
    with BytesIO() as file:
        pictures[0].save(file, "WEBP", save_all=True, append_images=pictures[1:], duration=40)
        return file.getvalue()


async def _short(content: bytes) -> AsyncIterator[bytes]:
    yield content
    # What was sent shall arrive before the connection goes.
    await asyncio.sleep(0.05)
    raise DropError


async def _endless() -> AsyncIterator[bytes]:
    block = bytes(64 * 1024)
    while True:
        yield block
        await asyncio.sleep(0.005)
