"""What a run tells: on a terminal, as Prefect artifacts, in its output folder."""
