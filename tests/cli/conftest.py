from __future__ import annotations

from tests.drawing import each_drawing_is_converted_once

__all__ = ["each_drawing_is_converted_once"]
