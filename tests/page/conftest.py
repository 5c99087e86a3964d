from tests.e2e.conftest import new_world, prefect_server, shotreel_zygote, world

__all__ = ["new_world", "prefect_server", "shotreel_zygote", "world"]
