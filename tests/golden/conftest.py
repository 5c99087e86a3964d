from tests.e2e.conftest import new_world, world
from tests.generate.conftest import open_studio, studio

__all__ = ["new_world", "open_studio", "studio", "world"]
