"""ComfyUI's /queue, read as it comes: each prompt in it brings its whole graph, pictures and all.

`{"queue_running": [[number, id, graph, extra data, outputs], ...], "queue_pending": [...]}`
(server.py, get_queue). Only numbers and ids are kept, so that a queue of any length can be read.
"""

from __future__ import annotations

import re
from contextlib import suppress

REST_OF_STRING = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*', re.DOTALL)
BETWEEN = re.compile(rb'[^"\[\]{}]+')
QUOTE, OPENING = b'"', b"[{"
MAX_KEPT_BYTES = 400
LISTS = ("queue_running", "queue_pending")
OUTSIDE, IN_OBJECT, IN_LIST, IN_ITEM = range(4)
"""How many brackets are open around what is of use."""


class QueueReader:
    def __init__(self) -> None:
        self._items: dict[str, list[tuple[float, str]]] = {}
        self._depth = OUTSIDE
        self._begun = False
        self._list: list[tuple[float, str]] | None = None
        self._awaits_id = False
        self._string: bytes | None = None  # of the string that is being read
        self._name = ""
        self._between = b""
        self._left = b""

    @property
    def complete(self) -> bool:
        """Whether both lists were read to their end."""
        return self._begun and self._depth == OUTSIDE and all(n in self._items for n in LISTS)

    @property
    def running(self) -> list[str]:
        return [id_ for _, id_ in self._items.get(LISTS[0], ())]

    @property
    def pending(self) -> list[str]:
        """In their order: what is sent is a heap, of which only the numbers say the order."""
        return [id_ for _, id_ in sorted(self._items.get(LISTS[1], ()), key=lambda item: item[0])]

    def feed(self, chunk: bytes) -> None:
        text, at = self._left + chunk, 0
        self._left = b""
        while at < len(text):
            if self._string is not None:
                rest = REST_OF_STRING.match(text, at)
                assert rest is not None
                self._string = (self._string + rest[0][:MAX_KEPT_BYTES])[:MAX_KEPT_BYTES]
                at = rest.end()
                if text[at : at + 1] == QUOTE:
                    self._end_string(self._string.decode("utf-8", "replace"))
                    at += 1
                else:  # a backslash whose other half is to come
                    self._left = text[at:]
                    return
            elif between := BETWEEN.match(text, at):
                self._between = (self._between + between[0])[:MAX_KEPT_BYTES]
                at = between.end()
            else:
                self._take(text[at : at + 1])
                at += 1

    def _take(self, mark: bytes) -> None:
        if mark == QUOTE:
            self._string = b""
            return
        if mark in OPENING:
            self._open(is_list=mark == b"[")
            self._depth += 1
            self._begun = True
        else:
            self._depth -= 1
        self._between = b""

    def _open(self, *, is_list: bool) -> None:
        if self._depth == IN_OBJECT:
            self._list = self._items.setdefault(self._name, []) if is_list else None
        self._awaits_id = self._depth == IN_LIST and is_list and self._list is not None

    def _end_string(self, string: str) -> None:
        if self._depth == IN_OBJECT:
            self._name = string
        elif self._depth == IN_ITEM and self._awaits_id and self._list is not None:
            with suppress(ValueError):  # an item without a number is none
                self._list.append((float(self._between.strip(b" \t\r\n,")), string))
            self._awaits_id = False
        self._string, self._between = None, b""
