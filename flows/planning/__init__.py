"""Shots to jobs and the plan: what is needed, what it costs, what changed, how long it takes."""
