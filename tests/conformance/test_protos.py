"""The essentials of the contract, for machines without buf; `make lint` asks buf for the rest."""

import importlib
import re
from itertools import chain

import pytest
from google.protobuf.descriptor import EnumDescriptor, FileDescriptor, MethodDescriptor

from tests.conformance.project import ROOT, pyproject

PROTOS = sorted((ROOT / "proto/geniehive/v1").glob("*.proto"))
FILES: list[FileDescriptor] = [
    importlib.import_module(f"geniehive.v1.{path.stem}_pb2").DESCRIPTOR for path in PROTOS
]
SERVICES = [service for file in FILES for service in file.services_by_name.values()]
METHODS: list[MethodDescriptor] = [method for service in SERVICES for method in service.methods]
MESSAGES = [message for file in FILES for message in file.message_types_by_name.values()]
ENUMS: list[EnumDescriptor] = list(
    chain(
        (enum for file in FILES for enum in file.enum_types_by_name.values()),
        (enum for message in MESSAGES for enum in message.enum_types),
    )
)


def by_full_name(descriptor: object) -> str:
    return str(getattr(descriptor, "full_name", descriptor))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_files_are_of_the_package(file):
    assert file.package == "geniehive.v1"
    assert file.name.startswith("geniehive/v1/")
    for service in file.services_by_name:
        snake = re.sub(r"(?<!^)([A-Z])", r"_\1", service).lower()
        assert file.name.endswith(f"/{snake}.proto"), f"{service} lives in {file.name}"


@pytest.mark.parametrize("service", SERVICES, ids=by_full_name)
def test_services_end_in_service(service):
    assert service.name.endswith("Service")


@pytest.mark.parametrize("method", METHODS, ids=by_full_name)
def test_methods_have_messages_of_their_own(method):
    assert method.input_type.name == f"{method.name}Request"
    assert method.output_type.name == f"{method.name}Response"
    assert re.match(r"[A-Z][a-z]+[A-Z]", method.name), "a verb and a noun"


@pytest.mark.parametrize("enum", ENUMS, ids=by_full_name)
def test_enum_values_are_prefixed_and_start_unspecified(enum):
    prefix = re.sub(r"(?<!^)([A-Z])", r"_\1", enum.name).upper() + "_"
    names = {value.number: value.name for value in enum.values}

    assert names[0] == f"{prefix}UNSPECIFIED"
    assert all(name.startswith(prefix) for name in names.values())


def test_lists_page():
    for method in METHODS:
        if method.name.startswith("List"):
            assert {"page_size", "page_token"} <= set(method.input_type.fields_by_name)
            assert "next_page_token" in method.output_type.fields_by_name


def test_times_and_spans_are_typed():
    for message in MESSAGES:
        for field in message.fields:
            if field.message_type and field.message_type.full_name == "google.protobuf.Timestamp":
                assert field.name.endswith("_time"), field.full_name
            assert not re.search(r"_(ms|seconds|timestamp|status)$", field.name), field.full_name


def test_requests_say_what_is_required():
    """The comment of each field of a request opens with what the caller must know first."""
    for path in PROTOS:
        for message in re.finditer(
            r"^message (\w+Request) \{\n(.*?)^\}", path.read_text(), re.MULTILINE | re.DOTALL
        ):
            comments = re.findall(r"((?:^ +//.*\n)*)^ +[\w.<>, ]+ = \d+;", message[2], re.MULTILINE)
            for comment in comments:
                assert re.match(r" +// (Required|Optional|Output only)\.", comment), (
                    f"{path.name}: {message[1]}: {comment!r}"
                )


def test_the_runtime_floor_is_the_version_of_the_generator():
    """Stubs refuse to load on an older runtime than the generator that wrote them."""
    stub = (ROOT / "gen/geniehive/v1/registry_service_pb2_grpc.py").read_text()
    generated = re.search(r"GRPC_GENERATED_VERSION = '(.*)'", stub)
    assert generated

    project = pyproject()["project"]
    assert f"grpcio>={generated[1]}" in project["dependencies"]
    assert f"grpcio-tools=={generated[1]}" in project["optional-dependencies"]["dev"]
