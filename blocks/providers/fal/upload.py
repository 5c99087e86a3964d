"""Put a file where fal's models can read it, as the official Python client 1.0.3 does.

A token, then one POST to the CDN, or parts of 10 MB above 100 MB; where the CDN does not take a
small file, the older storage does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from blocks.providers.base import Again
from blocks.providers.http import UPLOAD_TIMEOUT_S, Answer, Call, Reply, send

MULTIPART_ABOVE_BYTES = 100 * 2**20
PART_BYTES = 10 * 2**20


@dataclass(frozen=True)
class Upload:
    client: httpx.AsyncClient
    rest_url: str
    media_url: str
    auth: Mapping[str, str]
    secret: str
    path: Path
    content_type: str

    async def run(self) -> str | Again:
        """The file's URL."""
        token = await self._api("storage/auth/token", "fal-cdn-v3", {})
        if isinstance(token, Again):
            return token
        grant = {"Authorization": f"{token.get('token_type')} {token.get('token')}"}
        if self.path.stat().st_size > MULTIPART_ABOVE_BYTES:
            return await self._in_parts(grant)
        url = await self._whole(grant)
        return await self._older() if isinstance(url, Again) else url

    async def _whole(self, grant: Mapping[str, str]) -> str | Again:
        call = self._call("POST", f"{self.media_url}/files/upload", grant, file=self.path)
        return url_in(await self._send(call), "access_url")

    async def _in_parts(self, grant: Mapping[str, str]) -> str | Again:
        """The parts go one after another: the line is the limit, and little is in memory."""
        url = f"{self.media_url}/files/upload/multipart"
        answer = await self._send(self._call("POST", url, grant))
        place, upload_id = url_in(answer, "access_url"), url_in(answer, "uploadId")
        if isinstance(place, Again) or isinstance(upload_id, Again):
            return place if isinstance(place, Again) else Again("no upload id was given")
        if httpx.URL(place).host != httpx.URL(self.media_url).host:
            return Again("the upload was sent to another host")
        root = f"{place}/multipart/{quote(upload_id, safe='')}"
        parts = []
        size = self.path.stat().st_size
        for number, first in enumerate(range(0, size, PART_BYTES), start=1):
            part = (first, min(PART_BYTES, size - first))
            call = self._call("PUT", f"{root}/{number}", grant, file=self.path, part=part)
            answer = await self._send(call)
            if not (isinstance(answer, Reply) and answer.ok and "etag" in answer.headers):
                return refusal(answer)
            parts.append({"partNumber": number, "etag": answer.headers["etag"]})
        call = Call("POST", f"{root}/complete", headers=dict(grant), json={"parts": parts})
        done = await self._send(call)
        return place if isinstance(done, Reply) and done.ok else refusal(done)

    async def _older(self) -> str | Again:
        about = {"file_name": self.path.name, "content_type": self.content_type}
        given = await self._api("storage/upload/initiate", "gcs", about)
        if isinstance(given, Again):
            return given
        upload_url, file_url = given.get("upload_url"), given.get("file_url")
        if not (isinstance(upload_url, str) and isinstance(file_url, str)):
            return Again("no place to upload to was given")
        # The URL is signed: the account's key stays here.
        stored = await self._send(self._call("PUT", upload_url, {}, file=self.path))
        return file_url if isinstance(stored, Reply) and stored.ok else refusal(stored)

    async def _api(self, path: str, storage: str, body: object) -> dict[str, Any] | Again:
        call = Call(
            "POST",
            f"{self.rest_url}/{path}",
            headers=self.auth,
            params=(("storage_type", storage),),
            json=body,
        )
        answer = await self._send(call)
        return answer.object() if isinstance(answer, Reply) and answer.ok else refusal(answer)

    def _call(
        self,
        method: str,
        url: str,
        grant: Mapping[str, str],
        *,
        file: Path | None = None,
        part: tuple[int, int] | None = None,
    ) -> Call:
        headers = {**grant, "Content-Type": self.content_type}
        if method == "POST":
            headers["X-Fal-File-Name"] = quote(self.path.name)
        return Call(method, url, headers=headers, file=file, part=part, timeout_s=UPLOAD_TIMEOUT_S)

    async def _send(self, call: Call) -> Answer:
        return await send(self.client, call, self.secret)


def url_in(answer: Answer, name: str) -> str | Again:
    value = answer.object().get(name) if isinstance(answer, Reply) and answer.ok else None
    return value if isinstance(value, str) and value.isprintable() else refusal(answer)


def refusal(answer: Answer) -> Again:
    if isinstance(answer, Reply):
        return Again(f"the upload was answered HTTP {answer.status}", answer.retry_after_s)
    return Again(answer.reason)
