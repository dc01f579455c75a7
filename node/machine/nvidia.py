"""Graphics processors of NVIDIA, by the driver's own library."""

from collections.abc import Callable
from typing import Any, TypeVar

import pynvml

from node.machine.gpu import MAX_GPUS, Seen, seen

T = TypeVar("T")


class Nvidia:
    """Keeps the library open: to open it takes a second and more.

    nvml: what `pynvml` is; without driver or library it says so, and there is nothing.
    """

    def __init__(self, nvml: Any = pynvml) -> None:
        self._nvml = nvml
        self._open = self._answered = False

    def look(self) -> list[Seen]:
        """Return them all. It blocks, for as long as the driver likes.

        Raises:
            NVMLError: there were some, and the driver tells nothing of them now.
        """
        nvml = self._nvml
        try:
            if not self._open:
                nvml.nvmlInit()
                self._open = True
            count = min(nvml.nvmlDeviceGetCount(), MAX_GPUS)
        except nvml.NVMLError:
            # No driver, or one that was replaced under us: then the library is opened anew.
            self._open = False
            if self._answered:
                raise
            return []
        self._answered = True
        return [one for place in range(count) if (one := self._one(place)) is not None]

    def _one(self, place: int) -> Seen | None:
        nvml = self._nvml
        handle = self._told(lambda: nvml.nvmlDeviceGetHandleByIndex(place))
        if handle is None:
            return None  # it fell off the bus
        memory = self._told(lambda: nvml.nvmlDeviceGetMemoryInfo(handle))
        use = self._told(lambda: nvml.nvmlDeviceGetUtilizationRates(handle))
        celsius = self._told(
            lambda: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)
        )
        return seen(
            _text(self._told(lambda: nvml.nvmlDeviceGetUUID(handle))) or f"nvidia-{place}",
            _text(self._told(lambda: nvml.nvmlDeviceGetName(handle))),
            "nvidia",
            memory and int(memory.total),
            use and float(use.gpu),
            memory and int(memory.used),
            celsius,
        )

    def _told(self, ask: Callable[[], T]) -> T | None:
        """Return what the driver tells; not every processor has everything."""
        try:
            return ask()
        except self._nvml.NVMLError:
            return None


def _text(value: str | bytes | None) -> str:
    """Return a name; older bindings tell bytes."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value or ""
