"""`report.html`: the film, its shots, what they cost and where the time went, on one page."""
