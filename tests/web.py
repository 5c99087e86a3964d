"""The client with which tests ask servers on this machine: without proxies, patient, and one for
all, as reading the certificates of the world takes longer than many a test."""

from __future__ import annotations

import httpx

from tests.zygote import HANGS_S

web = httpx.Client(verify=False, trust_env=False, timeout=HANGS_S)
