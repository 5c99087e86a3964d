"""The studio of a home: Prefect's server, its worker and the sandbox, kept up on this machine."""
