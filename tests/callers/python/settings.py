"""Reads the settings that pages show: {"language", "text"} for each on standard input, what they hold on standard output.

A resource of Kubernetes is also held against the schema of its kind.
"""

import json
import sys
import tomllib

import kubernetes_validate
import yaml


class Strict(yaml.SafeLoader):
    """Refuses a key that is there twice, of which the last one would count, and leaves `on` a text."""


def mapping(loader, node):
    keys = [loader.construct_object(key, deep=True) for key, _ in node.value]
    twice = {key for key in keys if keys.count(key) > 1}
    if twice:
        raise yaml.YAMLError(f"{node.start_mark}: twice: {', '.join(map(str, twice))}")
    return loader.construct_mapping(node, deep=True)


Strict.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)
Strict.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool" or first not in "oO"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read(block):
    if block["language"] == "ini":
        return tomllib.loads(block["text"])
    settings = yaml.load(block["text"], Loader=Strict)
    if "/" not in settings.get("apiVersion", "/"):
        kubernetes_validate.validate(settings, kubernetes_validate.latest_version(), strict=True)
    return settings


json.dump([read(block) for block in json.load(sys.stdin)], sys.stdout)
