"""Which paths are inference, and what they ask for."""

from geniehive.v1 import inventory_pb2 as inventory

from gateway.routes import Operation

INFERENCE: dict[bytes, Operation] = {
    b"/v1/chat/completions": inventory.OPERATION_CHAT,
    b"/v1/embeddings": inventory.OPERATION_EMBEDDINGS,
}
