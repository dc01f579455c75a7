"""A scrape of metrics as tests read it."""

from prometheus_client.parser import text_string_to_metric_families


def series(text: str) -> dict[str, float]:
    """Return each series with its value: its name and labels, as `name,service,outcome`.

    Without our own prefix; labels go backwards by their names, so that a service comes first.
    """
    found = {}
    for family in text_string_to_metric_families(text):
        for one in family.samples:
            labels = [value for _, value in sorted(one.labels.items(), reverse=True)]
            name = one.name.removeprefix("geniehive_gateway_").removeprefix("geniehive_control_")
            found[",".join((name, *labels))] = one.value
    return found
