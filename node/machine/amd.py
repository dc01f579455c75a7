"""Graphics processors of AMD on Linux, by what the kernel tells in files."""

from pathlib import Path

from node.machine.gpu import MAX_GPUS, Seen, seen

CARDS = Path("/sys/class/drm")
VENDOR = "0x1002"
MAX_BYTES = 4_096


def look(cards: Path = CARDS) -> list[Seen]:
    """Return them all; none where there is no such system."""
    found = []
    for card in sorted(cards.glob("card[0-9]*"))[:MAX_GPUS]:
        device = card / "device"
        # `card0-HDMI-A-1` is a socket of card0.
        if card.name.removeprefix("card").isdecimal() and _text(device / "vendor") == VENDOR:
            found.append(_one(device))
    return found


def _one(device: Path) -> Seen:
    # A processor that sleeps would be woken by being asked how busy it is.
    asleep = _text(device / "power" / "runtime_status") == "suspended"
    heat = None
    if not asleep:
        sensors = sorted(device.glob("hwmon/hwmon*/temp1_input"))
        heat = next((value for one in sensors if (value := _number(one)) is not None), None)
    return seen(
        _text(device / "unique_id") or device.resolve().name,
        _text(device / "product_name") or "AMD graphics processor",
        "amd",
        _number(device / "mem_info_vram_total"),
        None if asleep else _number(device / "gpu_busy_percent"),
        None if asleep else _number(device / "mem_info_vram_used"),
        None if heat is None else heat / 1_000,
    )


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES).decode("utf-8", "replace").strip()
    except OSError:
        return ""  # older kernels and processors do not tell everything


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else None
