"""What the commands that list hosts, services, roles and models do."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from cli import cluster, detailed, listed, names
from cli.access import Access
from cli.inventory import Inventory, unknown
from cli.models import Model, models
from cli.output import Output, clean, columns, runnable
from cli.screens import now
from control.api import cluster_documents as documents


def hosts(output: Output, access: Access, name: str | None, state: str | None) -> None:
    """Print the hosts, or the one of this name."""
    with _asked(output, access) as asked:
        if name is not None:
            one = asked.host(name)
            content: Mapping[str, object] = {"host": documents.host_inventory(one)}
            _print(output, "host", content, [name], lambda: detailed.host(one, now(), _width()))
            return
        found = asked.hosts(state)
    ids = [one.host_id for one in found]
    if state is None:
        names.remember(access.state, hosts=ids)
    color = output.colorful(sys.stdout)
    content = {"hosts": [documents.host(one) for one in found]} if output.as_json else {}
    if state is not None and not found:
        _print(output, "hosts", content, ids, lambda: f"no hosts are {state}")
        return
    _print(output, "hosts", content, ids, lambda: listed.hosts(found, now(), _width(), color))


def services(
    output: Output,
    access: Access,
    name: str | None,
    host_id: str | None,
    operation: str | None,
    routable: bool | None,
) -> None:
    """Print the services, or the one of this name."""
    with _asked(output, access) as asked:
        if name is not None:
            one = asked.service(name)
            owner = asked.owner(one.service)
            content: Mapping[str, object] = {"service": documents.service(one)}
            _print(
                output,
                "service",
                content,
                [name],
                lambda: detailed.service(one, owner, now(), _width()),
            )
            return
        found = asked.services(host_id, operation, routable)
        # What only the table tells is not asked for in vain.
        plain = output.as_json or output.quiet
        owners = {} if plain else {host.host_id: host for host in asked.hosts()}
    ids = [one.service.service_id for one in found]
    if (host_id, operation, routable) == (None, None, None):
        names.remember(access.state, services=ids)
    color = output.colorful(sys.stdout)
    content = {"services": [documents.service(one) for one in found]} if output.as_json else {}
    _print(
        output,
        "services",
        content,
        ids,
        lambda: listed.services(found, owners, now(), _width(), color),
    )


def roles(output: Output, access: Access, name: str | None, operation: str | None) -> None:
    """Print the roles, or the one of this name."""
    with _asked(output, access) as asked:
        if name is not None:
            one = asked.role(name)
            content: Mapping[str, object] = {"role": documents.role(one)}
            _print(output, "role", content, [name], lambda: detailed.role(one))
            return
        found = asked.roles(operation)
    ids = [one.role.role_id for one in found]
    if operation is None:
        names.remember(access.state, roles=ids)
    content = {"roles": [documents.role(one) for one in found]} if output.as_json else {}
    if operation is not None and not found:
        _print(output, "roles", content, ids, lambda: f"no roles do {operation}")
        return
    _print(output, "roles", content, ids, lambda: listed.roles(found, _width()))


def serving(output: Output, access: Access, name: str | None, operation: str | None) -> None:
    """Print the models and roles that clients can ask for, or the one of this name."""
    with _asked(output, access) as asked:
        offered = asked.services()
        found = models(offered, asked.roles())
    if name is not None:
        one = _found(name, found)
        content: Mapping[str, object] = {"model": one.document}
        _print(output, "model", content, [name], lambda: detailed.model(one, offered, _width()))
        return
    names.remember(access.state, models=[one.name for one in found])
    shown = [one for one in found if operation is None or operation in one.operations]
    content = {"models": [one.document for one in shown]}
    ids = [one.name for one in shown]
    _print(output, "models", content, ids, lambda: listed.models(shown, _width()))


def _found(name: str, models: Sequence[Model]) -> Model:
    for one in models:
        if one.name == name:
            return one
    raise unknown("model", name, [one.name for one in models])


@contextmanager
def _asked(output: Output, access: Access) -> Iterator[Inventory]:
    with cluster.connected(access) as channel:
        yield Inventory(channel, output.timeout, cluster.operator(access))


def _print(
    output: Output,
    schema: str,
    content: Mapping[str, object],
    ids: Sequence[str],
    text: Callable[[], str],
) -> None:
    """Print what was found in the form that was asked for."""
    if output.as_json:
        output.document(schema, content)
    elif not output.quiet:
        output.answer(runnable(text()))
    elif ids:
        output.answer("\n".join(map(clean, ids)))


def _width() -> int | None:
    return columns(sys.stdout)
