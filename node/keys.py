"""The keys that model servers ask for, from the environment of the node."""

from control.api.auth import key_from
from control.api.settings import SettingsError
from node.config import Config


def engine_keys(settings: Config) -> dict[str, str]:
    """Return the key of each service that names one, by its full id.

    Raises:
        SettingsError: some are not set, or no header can carry them; no message shows one.
    """
    keys: dict[str, str] = {}
    problems: list[str] = []
    for place, service in enumerate(settings.services):
        if (variable := service.api_key_env) is None:
            continue
        service_id = settings.full_id(service.service_id)
        field = f"services[{place}].api_key_env of {service_id}"
        try:
            key = key_from(variable)
        except SettingsError as error:
            problems += [f"{field}: {problem}" for problem in error.problems]
            continue
        if key is None:
            problems.append(f"{field}: {variable} is not set; set it to the key of the server")
        else:
            keys[service_id] = key
    if problems:
        raise SettingsError(problems)
    return keys
