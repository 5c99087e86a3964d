"""The rules of trouble that are in force, and how often each was met, in the sandbox's file."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from . import faults
from .faults import Facts, Rule


@dataclass(slots=True)
class _Counted:
    seq: int
    rule: Rule
    seen: int
    acted: int


class FaultBook:
    """Several processes may write into it at once."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        transaction: Callable[[], AbstractContextManager[object]],
    ) -> None:
        self._connection = connection
        self._transaction = transaction
        self._rules: list[_Counted] = []
        self._rules_version: int | None = None

    def replace(self, rules: list[Rule]) -> None:
        """The same rules again keep their counts."""
        wanted = [json.dumps(faults.as_json(rule)) for rule in rules]
        with self._transaction():
            rows = self._connection.execute("SELECT rule FROM faults ORDER BY seq").fetchall()
            if [row[0] for row in rows] != wanted:
                self._connection.execute("DELETE FROM faults")
                self._insert(wanted)
        self._rules_version = None

    def add(self, rules: list[Rule]) -> None:
        with self._transaction():
            self._insert([json.dumps(faults.as_json(rule)) for rule in rules])
        self._rules_version = None

    def clear(self) -> None:
        self._connection.execute("DELETE FROM faults")
        self._rules_version = None

    def told(self) -> list[dict[str, Any]]:
        return [
            {**faults.as_json(counted.rule), "seen": counted.seen, "acted": counted.acted}
            for counted in self._read()
        ]

    def acting(self, point: str, facts: Facts) -> Rule | None:
        """The rule that acts now, counted; None if all is well."""
        if not any(faults.matches(counted.rule, point, facts) for counted in self._known()):
            return None
        if self._connection.in_transaction:
            return self._count(point, facts)
        with self._transaction():
            return self._count(point, facts)

    def _count(self, point: str, facts: Facts) -> Rule | None:
        for counted in self._read():
            if not faults.matches(counted.rule, point, facts):
                continue
            acting = faults.acts(counted.rule, counted.seen + 1, counted.acted)
            self._connection.execute(
                "UPDATE faults SET seen = seen + 1, acted = acted + ? WHERE seq = ?",
                (int(acting), counted.seq),
            )
            if acting:
                return counted.rule
        return None

    def _known(self) -> list[_Counted]:
        # `data_version` changes when another process has written: a rule may be among it.
        version = int(self._connection.execute("PRAGMA data_version").fetchone()[0])
        if version != self._rules_version:
            self._rules = self._read()
            self._rules_version = version
        return self._rules

    def _read(self) -> list[_Counted]:
        rows = self._connection.execute("SELECT seq, rule, seen, acted FROM faults ORDER BY seq")
        return [
            _Counted(seq, faults.parse(json.loads(rule))[0], seen, acted)
            for seq, rule, seen, acted in rows
        ]

    def _insert(self, rules: list[str]) -> None:
        self._connection.executemany(
            "INSERT INTO faults (rule) VALUES (?)", [(rule,) for rule in rules]
        )
