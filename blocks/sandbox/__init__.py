"""The providers' wire protocols on loopback: real clips, real charges, no money.

```python
with Sandbox(folder=Path("sandbox")) as sandbox:
    os.environ.update(sandbox.environment)
```

One port serves fal (`/fal/...`), WaveSpeed (`/wavespeed/...`), ComfyUI (`/comfyui/...`) and what
only a sandbox can tell:

GET  /sandbox/charges           every charge and refund, with totals
GET  /sandbox/requests          every accepted request with its inputs and state
GET  /sandbox/posts             every submit POST, accepted or not, counted by what it asks for
GET  /sandbox/media-downloads   every download of a clip
GET  /sandbox/quotes            the last bodies that WaveSpeed was asked a price for
     /sandbox/faults            GET the fault rules, POST more, PUT others, DELETE all

The points and actions of fault rules are in `faults`. A fal key is any text, an admin key one
that starts with `admin`; a WaveSpeed key is any text; ComfyUI has none.
"""

from .faults import FaultError
from .server import Sandbox, serve

__all__ = ["FaultError", "Sandbox", "serve"]
