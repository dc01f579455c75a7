"""The files with weights on a machine, for people."""

from geniehive.v1 import inventory_pb2 as inventory

from cli.table import Row, table
from cli.text import gigabytes

WEIGHTS = ("WEIGHTS", "SIZE", "NAME", "FAMILY", "STORED", "CONTEXT", "PARAMETERS")
SHOWN = 20


def weights(machine: inventory.MachineInventory, width: int | None) -> str:
    """Return a table of the first files, empty without any. width: of a terminal, in cells."""
    rows = [
        Row(
            (place,),
            (
                one.path,
                gigabytes(one.size_bytes),
                one.name or "?",
                one.architecture or "?",
                one.quantization or "?",
                str(one.context_tokens or "?"),
                f"{one.parameter_count / 1e9:.1f} B" if one.parameter_count else "?",
            ),
        )
        for place, one in enumerate(machine.model_files[:SHOWN])
    ]
    if not rows:
        return ""
    told = table(WEIGHTS, rows, numbers=("SIZE", "CONTEXT", "PARAMETERS"), width=width)
    more = machine.model_file_count - len(rows)
    return f"{told}\n{more} more: --json" if more > 0 else told
