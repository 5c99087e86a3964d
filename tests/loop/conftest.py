from tests.generate.conftest import open_studio, studio

__all__ = ["open_studio", "studio"]
