"""ComfyUI's API (server.py), as a server on one's own machine has it; each route also under /api.

Queue and history are forgotten by a restart, as ComfyUI's are (they live in its memory): the fault
`restart`. Files stay. A graph is executed on the shapes of its tensors (comfyui_run); what size,
frames, rate, prompt or seed that leaves open is read from the graph, and the clip is drawn by it.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from . import comfyui_nodes as nodes
from .comfyui_history import entry_of, queue_item
from .comfyui_nodes import Graph
from .comfyui_run import NodeError, Run, Saved
from .faults import Facts
from .jobs import Inputs, Job, phase
from .media import Media, form_file, moving_picture
from .models import Model
from .store import Upload
from .studio import Order, Studio, facts_of
from .web import MAX_UPLOAD_BYTES, answer, body_bytes, body_json, body_object, disturbed

FACTS = Facts("comfyui")
# The input names by which nodes say it; the first that is there counts.
_SAID = {
    "width": ("width", "video_size_w"),
    "height": ("height", "video_size_h"),
    "num_frames": ("num_frames", "batch_size", "length"),
    "frames_per_second": ("fps", "frame_rate"),
    "seed": ("seed", "noise_seed", "magi_seed", "color"),
}
_USUAL = {"width": 848, "height": 480, "num_frames": 96, "frames_per_second": 24}


def reading(graph: Graph, extra_data: Inputs) -> Inputs:
    """What the clip of a graph is to be like."""
    values: Inputs = dict(_USUAL)
    for name, words in _SAID.items():
        found = _first(graph, words, (int, float))
        if found is not None:
            values[name] = int(found)
    ours = extra_data.get("shotreel")
    said = _first(graph, ("prompt", "text"), (str,)) or ""
    values["prompt"] = said or (ours.get("prompt", "") if isinstance(ours, dict) else "")
    return values


def _first(graph: Graph, words: tuple[str, ...], kinds: tuple[type, ...]) -> Any:
    for word in words:
        for node in graph.values():
            value = node["inputs"].get(word)
            if isinstance(value, kinds) and not isinstance(value, bool):
                return value
    return None


def about(saved: Saved) -> Inputs:
    """A file as it is remembered; `drawn` is what its clip differs in from the prompt's others."""
    drawn: Inputs = {}
    if video := saved.video:
        images, rate = video.images, max(1, round(video.fps))
        drawn = {"width": images.width, "height": images.height, "frames_per_second": rate}
        drawn["num_frames"] = images.num_frames
    told = {"node": saved.node, "key": saved.key, "type": saved.kind, "animated": saved.animated}
    return {**told, "drawn": drawn}


class ComfyUI:
    def __init__(self, studio: Studio, media: Media) -> None:
        self._studio = studio
        self._store = studio.store
        self._media = media

    def routes(self) -> list[Route]:
        post = ["POST"]
        return [
            route
            for root in ("/comfyui", "/comfyui/api")
            for route in (
                Route(root + "/prompt", self.remaining),
                Route(root + "/prompt", self.prompt, methods=post),
                Route(root + "/queue", self.queue),
                Route(root + "/queue", self.change_queue, methods=post),
                Route(root + "/history", self.histories),
                Route(root + "/history", self.change_history, methods=post),
                Route(root + "/history/{prompt_id}", self.history),
                Route(root + "/interrupt", self.interrupt, methods=post),
                Route(root + "/view", self.view),
                Route(root + "/upload/image", self.upload, methods=post),
                Route(root + "/object_info", self.object_infos),
                Route(root + "/object_info/{name}", self.object_info),
                Route(root + "/system_stats", self.system_stats),
            )
        ]

    # prompts ----------------------------------------------------------------------------------

    async def remaining(self, request: Request) -> Response:
        return answer({"exec_info": {"queue_remaining": len(self._unfinished())}})

    async def prompt(self, request: Request) -> Response:
        body = await body_json(request)
        if not isinstance(body, dict):
            return Response("500 Internal Server Error\n\nServer got itself in trouble", 500)
        prompt_id = body.get("prompt_id") or str(uuid.uuid4())
        rule = await self._studio.trouble("prompt_id", FACTS)
        if rule and not _is_canonical(str(prompt_id)):
            return answer(nodes.INVALID_ID, 400)
        if "prompt" not in body:
            return answer(nodes.NO_PROMPT, 400)
        graph, extra = body["prompt"], body.get("extra_data")
        refused = nodes.refusal(graph, self._info)
        if refused:
            self._studio.count_refused("comfyui", "comfyui/prompt", {"prompt": graph})
            return answer(refused, 400)
        extra = dict(extra) if isinstance(extra, dict) else {}
        if "client_id" in body:
            extra["client_id"] = body["client_id"]
        _, rule = await self._studio.take(self._order(str(prompt_id), graph, extra))
        number = len(self._store.jobs("comfyui")) - 1
        usual = answer({"prompt_id": prompt_id, "number": number, "node_errors": {}})
        return await disturbed(rule, usual) if rule else usual

    def _order(self, prompt_id: str, graph: Graph, extra: Inputs) -> Order:
        values = reading(graph, extra)
        doomed = None
        try:
            values |= self._files(graph)
        except NodeError as error:
            doomed = str(error), error.kind
            values["failed_at"] = error.node
        values["prompt_id"] = prompt_id
        twins = self._store.jobs_saying("comfyui", "prompt_id", prompt_id)
        endpoint = "comfyui/" + next(
            (n["class_type"] for n in graph.values() if "width" in n["inputs"]),
            "MagiProcess" if "MagiProcess" in json.dumps(graph) else "workflow",
        )
        return Order(
            service="comfyui",
            api="v1",
            model=Model(endpoint, "comfyui"),
            inputs={"prompt": graph, "extra_data": extra, "outputs": nodes.outputs_of(graph)},
            values=values,
            # The same id twice is executed twice; what comes later is what is asked for.
            request_id=f"{prompt_id}#{len(twins) + 1}" if twins else prompt_id,
            image=self._image(graph),
            doomed=doomed,
        )

    def _files(self, graph: Graph) -> Inputs:
        """What the prompt writes. An identical graph is answered from the cache: no new file.

        Raises NodeError.
        """
        text = json.dumps(graph, sort_keys=True)
        now = self._studio.now()
        for job in self._store.jobs_saying("comfyui", "graph", text):
            if job.succeeds and job.ends_at <= now:
                return {**job.values, "cached": True}
        taken = [
            path for job in self._store.jobs("comfyui") for path in job.values.get("files", ())
        ]
        saved = Run(graph, taken).execute(nodes.outputs_of(graph))
        files = {file.path: about(file) for file in saved}
        clip = next((file for file in files.values() if file["drawn"]), None)
        return {"graph": text, "files": files, **(clip["drawn"] if clip else {})}

    def _image(self, graph: Graph) -> str | None:
        name = _first(graph, ("image", "image_path"), (str,))
        kept = self._store.upload(f"comfyui/input/{name}") if name else None
        return kept.sha256 if kept else None

    def _info(self, class_type: str) -> nodes.Info | None:
        missing = self._store.faults.acting("nodes", Facts("comfyui", class_type))
        return None if missing else nodes.info_of(class_type)

    # queue and history ------------------------------------------------------------------------

    def _unfinished(self) -> list[Job]:
        return self._store.jobs_unfinished("comfyui", self._studio.now())

    async def queue(self, request: Request) -> Response:
        rule = await self._studio.trouble("poll", FACTS)
        if rule and rule.do == "restart":
            self._forget()
        now = self._studio.now()
        jobs = [] if rule else self._unfinished()
        return answer(
            {
                "queue_running": [queue_item(j) for j in jobs if phase(j, now) == "running"],
                "queue_pending": [queue_item(j) for j in jobs if phase(j, now) == "queued"],
            }
        )

    async def change_queue(self, request: Request) -> Response:
        """Takes pending prompts out; they leave no trace. Running ones go on."""
        body = await body_object(request)
        now = self._studio.now()
        for job in self._unfinished():
            named = job.values["prompt_id"] in _list(body.get("delete"))
            if phase(job, now) == "queued" and (named or body.get("clear")):
                self._store.cancel(job.request_id, now, "deleted", "deleted")
                self._store.delete([job.request_id])
        return Response("", 200)

    async def interrupt(self, request: Request) -> Response:
        """The prompt that is named, if it runs; without a name whatever runs."""
        wanted = (await body_object(request)).get("prompt_id")
        now = self._studio.now()
        for job in self._unfinished():
            if phase(job, now) == "running" and wanted in (None, job.values["prompt_id"]):
                self._store.cancel(job.request_id, now, "interrupted", "interrupted")
        return Response("", 200)

    async def history(self, request: Request) -> Response:
        """`{}` until it has ended, and for what is not known."""
        prompt_id = request.path_params["prompt_id"]
        job = self._ended(prompt_id)
        if job is None:
            return answer({})
        rule = await self._studio.trouble("result", facts_of(job))
        if rule and rule.do == "not_found":
            return answer({})
        if rule and rule.do == "gateway_504":
            return Response("<html><h1>504 Gateway Time-out</h1></html>", 504)
        if rule and rule.do in ("output", "flagged"):
            return answer(
                {prompt_id: {**entry_of(job), "outputs": rule.parameters.get("output", {})}}
            )
        name = rule.text("url", "../../clip.mp4") if rule else None
        return answer({prompt_id: entry_of(job, name)})

    async def histories(self, request: Request) -> Response:
        now = self._studio.now()
        jobs = [j for j in self._store.jobs("comfyui") if not j.deleted and j.ends_at <= now]
        limit = request.query_params.get("max_items", "")
        kept = jobs[-int(limit) :] if limit.isdigit() and int(limit) else jobs
        return answer({job.values["prompt_id"]: entry_of(job) for job in kept})

    async def change_history(self, request: Request) -> Response:
        body = await body_object(request)
        now = self._studio.now()
        wanted = _list(body.get("delete"))
        self._store.delete(
            job.request_id
            for job in self._store.jobs("comfyui")
            if job.ends_at <= now and (body.get("clear") or job.values["prompt_id"] in wanted)
        )
        return Response("", 200)

    def _ended(self, prompt_id: str) -> Job | None:
        now = self._studio.now()
        twins = self._store.jobs_saying("comfyui", "prompt_id", prompt_id)
        ended = [job for job in twins if not job.deleted and job.ends_at <= now]
        return ended[-1] if ended else None

    def _forget(self) -> None:
        now = self._studio.now()
        for job in self._unfinished():
            self._store.cancel(job.request_id, now, "the process has ended", "restart")
        self._store.delete(job.request_id for job in self._store.jobs("comfyui"))

    # files ------------------------------------------------------------------------------------

    async def view(self, request: Request) -> Response:
        name = request.query_params.get("filename", "")
        folder = request.query_params.get("subfolder", "")
        if not name or ".." in name or name.startswith("/"):
            return Response("", 400)
        if ".." in folder.split("/") or folder.startswith("/"):
            return Response("", 403)
        file = f"{folder}/{name}" if folder else name
        if request.query_params.get("type", "output") == "input":
            kept = self._store.upload(f"comfyui/input/{file}")
            if kept is None or kept.sha256 is None:
                return Response("", 404)
            return FileResponse(self._studio.clips.input_path(kept.sha256))
        jobs = self._store.jobs("comfyui")
        writer = next((j for j in jobs if j.succeeds and file in j.values.get("files", {})), None)
        if writer is None or phase(writer, self._studio.now()) == "queued":
            return Response("", 404)
        drawn = writer.values["files"][file]["drawn"]
        writer = replace(writer, values={**writer.values, **drawn})
        if phase(writer, self._studio.now()) == "running":
            # A file is served while it is written: a whole answer, and not a whole clip.
            part = (await self._studio.clips.ready(writer)).read_bytes()[:48]
            return Response(part, media_type="video/mp4")
        if file.endswith((".webp", ".gif", ".png")):
            return Response(await asyncio.to_thread(moving_picture), media_type="image/webp")
        return await self._media.send_clip(request, writer)

    async def upload(self, request: Request) -> Response:
        """The same bytes under a name that is taken are kept once; others get another name."""
        await self._studio.trouble("upload", FACTS)
        kind = request.headers.get("content-type", "")
        body = await body_bytes(request, MAX_UPLOAD_BYTES)
        file = form_file(kind, body, "image")
        if file is None:
            return Response("", 400)
        fields = {
            name: found[2].decode("utf-8", "replace")
            for name in ("type", "subfolder", "overwrite")
            if (found := form_file(kind, body, name))
        }
        folder, place = fields.get("subfolder", ""), fields.get("type", "input")
        sha256 = self._studio.clips.keep(file[2])
        name, number = file[0], 0
        stem, dot, suffix = file[0].rpartition(".")
        overwrite = fields.get("overwrite", "") in ("true", "1")
        while True:
            key = f"comfyui/{place}/{folder}/{name}" if folder else f"comfyui/{place}/{name}"
            taken = self._store.upload(key)
            if taken is None or taken.sha256 == sha256 or overwrite:
                break
            number += 1
            name = f"{stem if dot else file[0]} ({number}){dot}{suffix if dot else ''}"
        self._store.put_upload(Upload(key, name, file[1], len(file[2]), sha256))
        return answer({"name": name, "subfolder": folder, "type": place})

    # what it is -------------------------------------------------------------------------------

    async def object_infos(self, request: Request) -> Response:
        return answer({name: info for name in nodes.NODES if (info := self._info(name))})

    async def object_info(self, request: Request) -> Response:
        name = request.path_params["name"]
        info = self._info(name)
        return answer({name: info} if info else {})

    async def system_stats(self, request: Request) -> Response:
        system = {"os": "posix", "comfyui_version": "0.3.64", "python_version": "3.11", "argv": []}
        memory = {"ram_total": 2**34, "ram_free": 2**33}
        return answer({"system": {**system, **memory, "pytorch_version": "none"}, "devices": []})


def _is_canonical(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
