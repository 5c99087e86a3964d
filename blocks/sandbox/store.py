"""Everything that the sandbox must not forget, in one SQLite file.

Used from the server's event loop only: a statement takes microseconds, a thread hop more.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

from .fault_book import FaultBook
from .jobs import NEVER, Inputs, Job, Service

_SCHEMA = """
CREATE TABLE IF NOT EXISTS requests (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    request_id TEXT NOT NULL UNIQUE,
    service TEXT NOT NULL, api TEXT NOT NULL, endpoint TEXT NOT NULL,
    inputs TEXT NOT NULL, inputs_values TEXT NOT NULL, image TEXT,
    accepted_at REAL NOT NULL, starts_at REAL NOT NULL, ends_at REAL NOT NULL,
    refund_at REAL NOT NULL,
    status_code INTEGER NOT NULL, error TEXT, error_type TEXT,
    units TEXT NOT NULL, unit_price_usd TEXT NOT NULL, units_header TEXT,
    charged INTEGER NOT NULL, deleted INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS requests_by_end ON requests (service, ends_at);
CREATE INDEX IF NOT EXISTS requests_by_start ON requests (service, starts_at);
CREATE TABLE IF NOT EXISTS posts (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    identity TEXT NOT NULL, service TEXT NOT NULL, endpoint TEXT NOT NULL,
    inputs TEXT NOT NULL, at REAL NOT NULL, request_id TEXT
);
CREATE INDEX IF NOT EXISTS posts_by_identity ON posts (identity);
CREATE TABLE IF NOT EXISTS uploads (
    upload_id TEXT PRIMARY KEY, file_name TEXT NOT NULL, content_type TEXT NOT NULL,
    size INTEGER NOT NULL, sha256 TEXT, at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS downloads (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    request_id TEXT NOT NULL, path TEXT NOT NULL, byte_range TEXT, at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS faults (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    rule TEXT NOT NULL, seen INTEGER NOT NULL DEFAULT 0, acted INTEGER NOT NULL DEFAULT 0
);
"""
_JOB_COLUMNS = (
    "seq, request_id, service, api, endpoint, inputs, inputs_values, image, accepted_at, "
    "starts_at, ends_at, refund_at, status_code, error, error_type, units, unit_price_usd, "
    "units_header, charged, deleted"
)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that a client stored; `sha256` is None until its bytes have arrived."""

    upload_id: str
    file_name: str
    content_type: str
    size: int
    sha256: str | None


class Store:
    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(
            path, timeout=30, isolation_level=None, check_same_thread=False
        )
        # Two processes that open a new file at once may find it locked for a moment.
        _patiently(lambda: self._connection.execute("PRAGMA journal_mode=WAL"))
        self._connection.execute("PRAGMA synchronous=NORMAL")
        _patiently(lambda: self._connection.executescript(_SCHEMA))
        self.faults = FaultBook(self._connection, self.transaction)

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[Self]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    # requests ---------------------------------------------------------------------------------

    def add_job(self, job: Job) -> None:
        """`job.seq` is given by the store."""
        marks = ", ".join("?" * 19)
        self._connection.execute(
            f"INSERT INTO requests ({_JOB_COLUMNS.removeprefix('seq, ')}) VALUES ({marks})",  # noqa: S608
            (
                job.request_id,
                job.service,
                job.api,
                job.endpoint,
                json.dumps(job.inputs),
                json.dumps(job.values),
                job.image,
                job.accepted_at,
                job.starts_at,
                job.ends_at,
                job.refund_at,
                job.status_code,
                job.error,
                job.error_type,
                str(job.units),
                str(job.unit_price_usd),
                job.units_header,
                int(job.charged),
                int(job.deleted),
            ),
        )

    def job(self, request_id: str) -> Job | None:
        rows = self._jobs("WHERE request_id = ?", request_id)
        return rows[0] if rows else None

    def jobs(self, service: Service | None = None) -> list[Job]:
        """In the order of acceptance."""
        if service is None:
            return self._jobs("ORDER BY seq")
        return self._jobs("WHERE service = ? ORDER BY seq", service)

    def jobs_unfinished(self, service: Service, now: float) -> list[Job]:
        """Those that run or wait, in the order of acceptance."""
        return self._jobs(
            "WHERE service = ? AND ends_at > ? AND deleted = 0 ORDER BY seq", service, now
        )

    def jobs_saying(self, service: Service, name: str, value: str) -> list[Job]:
        """Those of whose values one is this, in the order of acceptance."""
        return self._jobs(
            "WHERE service = ? AND json_extract(inputs_values, '$.' || ?) = ? ORDER BY seq",
            service,
            name,
            value,
        )

    def jobs_started(
        self,
        service: Service,
        after: float,
        before: float,
        *,
        below_seq: int = 2**62,
        limit: int = -1,
    ) -> list[Job]:
        """Those that started in [after, before), newest first; -1: as many as there are."""
        # The newest are wanted most: a walk from the end is shorter than to sort the window.
        return self._jobs(
            "WHERE +service = ? AND +starts_at >= ? AND +starts_at < ? AND seq < ? "
            "ORDER BY seq DESC LIMIT ?",
            service,
            after,
            before,
            below_seq,
            limit,
        )

    def end_times(self, service: Service, now: float) -> list[float]:
        """When each job that holds a slot, or will, ends."""
        rows = self._connection.execute(
            "SELECT ends_at FROM requests WHERE service = ? AND ends_at > ? AND starts_at < ?",
            (service, now, NEVER),
        )
        return [row[0] for row in rows]

    def num_running(self, service: Service, now: float) -> int:
        return self._count("service = ? AND ends_at > ? AND starts_at <= ?", (service, now, now))

    def num_queued(self, service: Service, now: float, before_seq: int = 2**62) -> int:
        return self._count(
            "service = ? AND starts_at > ? AND ends_at > ? AND seq < ?",
            (service, now, now, before_seq),
        )

    def cancel(self, request_id: str, now: float, error: str, error_type: str) -> None:
        self._connection.execute(
            "UPDATE requests SET starts_at = ?, ends_at = ?, status_code = 499, charged = 0, "
            "error = ?, error_type = ?, units_header = NULL WHERE request_id = ?",
            (NEVER, now, error, error_type, request_id),
        )

    def delete(self, request_ids: Iterable[str]) -> None:
        self._connection.executemany(
            "UPDATE requests SET deleted = 1 WHERE request_id = ?",
            [(request_id,) for request_id in request_ids],
        )

    def _jobs(self, clause: str, *arguments: object) -> list[Job]:
        rows = self._connection.execute(
            f"SELECT {_JOB_COLUMNS} FROM requests {clause}",  # noqa: S608
            arguments,
        )
        return [_job(row) for row in rows]

    def _count(self, clause: str, arguments: tuple[object, ...]) -> int:
        row = self._connection.execute(
            f"SELECT COUNT(*) FROM requests WHERE {clause}",  # noqa: S608
            arguments,
        ).fetchone()
        return int(row[0])

    # posts and downloads ----------------------------------------------------------------------

    def add_post(self, identity: str, service: str, endpoint: str, inputs: Inputs) -> int:
        cursor = self._connection.execute(
            "INSERT INTO posts (identity, service, endpoint, inputs, at) VALUES (?, ?, ?, ?, ?)",
            (identity, service, endpoint, json.dumps(inputs), time.time()),
        )
        return int(cursor.lastrowid or 0)

    def post_accepted(self, seq: int, request_id: str) -> None:
        self._connection.execute("UPDATE posts SET request_id = ? WHERE seq = ?", (request_id, seq))

    def posts(self) -> list[dict[str, Any]]:
        rows = self._connection.execute(
            "SELECT identity, service, endpoint, inputs, COUNT(*), COUNT(request_id), MIN(at) "
            "FROM posts GROUP BY identity ORDER BY MIN(seq)"
        )
        return [
            {
                "identity": identity,
                "service": service,
                "endpoint": endpoint,
                "inputs": json.loads(inputs),
                "posts": num_posts,
                "accepted": num_accepted,
                "first_at": first_at,
            }
            for identity, service, endpoint, inputs, num_posts, num_accepted, first_at in rows
        ]

    def posts_of_requests(self) -> Mapping[str, int]:
        """How many POSTs said the same as the one that became the request."""
        rows = self._connection.execute(
            "SELECT own.request_id, COUNT(*) FROM posts own JOIN posts twin USING (identity) "
            "WHERE own.request_id IS NOT NULL GROUP BY own.request_id"
        )
        return dict(rows.fetchall())

    def add_download(self, request_id: str, path: str, byte_range: str | None) -> None:
        self._connection.execute(
            "INSERT INTO downloads (request_id, path, byte_range, at) VALUES (?, ?, ?, ?)",
            (request_id, path, byte_range, time.time()),
        )

    def downloads(self) -> list[dict[str, Any]]:
        rows = self._connection.execute(
            "SELECT request_id, path, byte_range, at FROM downloads ORDER BY seq"
        )
        names = ("request_id", "path", "range", "at")
        return [dict(zip(names, row, strict=True)) for row in rows]

    # uploads ----------------------------------------------------------------------------------

    def put_upload(self, upload: Upload) -> None:
        self._connection.execute(
            "INSERT OR REPLACE INTO uploads VALUES (?, ?, ?, ?, ?, ?)",
            (
                upload.upload_id,
                upload.file_name,
                upload.content_type,
                upload.size,
                upload.sha256,
                time.time(),
            ),
        )

    def upload(self, upload_id: str) -> Upload | None:
        row = self._connection.execute(
            "SELECT upload_id, file_name, content_type, size, sha256 FROM uploads "
            "WHERE upload_id = ?",
            (upload_id,),
        ).fetchone()
        return Upload(*row) if row else None


def _job(row: tuple[Any, ...]) -> Job:
    return Job(
        seq=row[0],
        request_id=row[1],
        service=row[2],
        api=row[3],
        endpoint=row[4],
        inputs=json.loads(row[5]),
        values=json.loads(row[6]),
        image=row[7],
        accepted_at=row[8],
        starts_at=row[9],
        ends_at=row[10],
        refund_at=row[11],
        status_code=row[12],
        error=row[13],
        error_type=row[14],
        units=Decimal(row[15]),
        unit_price_usd=Decimal(row[16]),
        units_header=row[17],
        charged=bool(row[18]),
        deleted=bool(row[19]),
    )


def _patiently(act: Callable[[], object]) -> None:
    for _ in range(100):
        try:
            act()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            time.sleep(0.05)
        else:
            return
    act()
