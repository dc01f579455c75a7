"""BenchmarkService: takes results of benchmark runs, and lists them. Translates only."""

from geniehive.v1 import benchmark_service_pb2_grpc as pb_grpc


class BenchmarkServicer(pb_grpc.BenchmarkServiceServicer):
    """See the comments of the service in the contract."""
