"""Reads files of deploy/ with the tools of those who use them, and prints JSON.

    tools.py yaml FILE             the document of a file
    tools.py compose FILE          that of a compose file, if it is one
    tools.py objects               objects of Kubernetes from standard input
    tools.py chart FOLDER VALUES   the objects of a Helm chart, if it passes `helm lint --strict`

Objects are those that the schemas of Kubernetes allow.
"""

import json
import sys

import helm_python
import kubernetes_validate
import yaml
from compose_spec import PyCompose

KUBERNETES = "1.37"
# Kinds that others than Kubernetes define, so it has no schema for them.
FOREIGN = ["PodMonitor"]


def document(file):
    with open(file) as text:
        return yaml.safe_load(text)


def compose(file):
    found = document(file)
    PyCompose.from_json(json.dumps(found)).validate()
    return found


def objects(text):
    found = [one for one in yaml.safe_load_all(text) if one]
    for one in found:
        if one["kind"] not in FOREIGN:
            kubernetes_validate.validate(one, KUBERNETES, strict=True)
    return found


def chart(folder, values):
    report = helm_python.lint(folder, values, strict=True)
    if report["errors"]:
        sys.exit(json.dumps(report))
    with helm_python.Chart.load(folder) as loaded:
        files = loaded.render(values, name="opentracker", namespace="default")
    manifests = [text for name, text in files.items() if name.endswith(".yaml")]
    return objects("\n---\n".join(manifests))


match sys.argv[1:]:
    case ["yaml", file]:
        answer = document(file)
    case ["compose", file]:
        answer = compose(file)
    case ["objects"]:
        answer = objects(sys.stdin)
    case ["chart", folder, values]:
        answer = chart(folder, json.loads(values))
json.dump(answer, sys.stdout)
