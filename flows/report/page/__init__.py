"""`report.html`: the film, its shots, what they cost and where the time went, on one page."""

from flows.report.page.write import pasts_of, write_report

__all__ = ["pasts_of", "write_report"]
