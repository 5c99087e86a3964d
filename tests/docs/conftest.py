from tests.e2e.conftest import new_world, world

__all__ = ["new_world", "world"]
