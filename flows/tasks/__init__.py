"""Every Prefect task of the flows."""
