"""`report.html`: the film, its shots, what they cost and where the time went, on one page."""

from flows.report.page.write import write_report

__all__ = ["write_report"]
