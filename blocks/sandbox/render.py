"""temporary"""
from __future__ import annotations
from pathlib import Path
import av, numpy as np
from PIL import Image
from fractions import Fraction

def _encode(path, frames, rate, width, height, crf):
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as out:
        st = out.add_stream("libx264", rate=rate, options={"preset": "ultrafast", "bf": "2", "crf": crf, "g": "1000"})
        st.width, st.height, st.pix_fmt = width, height, "yuv420p"
        for i, a in enumerate(frames):
            f = av.VideoFrame.from_ndarray(a, format="yuv420p"); f.pts = i
            for p in st.encode(f): out.mux(p)
        for p in st.encode(): out.mux(p)

def render_clip(path: Path, prompt: str, seed: int, num_frames: int, rate: int, width: int, height: int, label: str, image: Image.Image | None = None) -> None:
    def gen():
        for i in range(num_frames):
            a = np.full((height * 3 // 2, width), 128, np.uint8)
            a[:height] = 40 + seed % 100
            x = i * 4 % (width - 64); a[100:164, x:x+64] = 220
            if image is not None and i == 0:
                a[:height] = np.asarray(image.convert("L").resize((width, height)))
            yield a
    _encode(path, gen(), rate, width, height, "26")

def render_thumb(path: Path, seed: int, num_frames: int, rate: int) -> None:
    def gen():
        for i in range(num_frames):
            a = np.full((108, 128), 128, np.uint8)
            a[:72] = 40 + seed % 100; x = i % 112; a[30:46, x:x+16] = 220
            yield a
    _encode(path, gen(), rate, 128, 72, "30")
