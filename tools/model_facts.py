"""Reads the facts in model/ and refuses what does not hold; tools/generate_model.py writes them as C++."""

import json
import re

# The service's name in the model, and the C++ namespace of its shapes.
SERVICES = {"cognito": "cognito", "kms": "kms", "symbolon": "own"}
# Which module (namespace symbolon::<module>) implements the handlers of which services.
MODULES = {"cognito": ["cognito", "symbolon"], "kms_api": ["kms"]}
VALIDATION_ERROR = {
    "cognito": "InvalidParameterException",
    "kms": "ValidationException",
    "symbolon": "InvalidParameterException",
}
WHO = ["iam", "access_token", "token_or_session", "refresh_token", "client_secret", "feedback_token", "nobody"]
WHERE = ["primary", "any_replica", "active_replica", "regional_setting", "region_local"]
# Members that the steps before a handler read, and that mean the same wherever they occur.
WELL_KNOWN = ["UserPoolId", "ClientId", "AccessToken", "Session", "Username", "ResourceArn"]
MEMBERS_MAX = 64  # wire::kMembersMax
SCALARS = {
    "string": "std::string",
    "integer": "std::int32_t",
    "long": "std::int64_t",
    "double": "double",
    "boolean": "bool",
    "timestamp": "Timestamp",
    "blob": "Bytes",
    "document": "wire::Document",
}


class ModelError(Exception):
    """A fact in model/ that does not hold."""


def pascal(text):
    return "".join(
        word[:1].upper() + (word[1:].lower() if word.isupper() else word[1:])
        for word in re.split(r"[^A-Za-z0-9]+", text)
        if word
    )


class Service:
    """One service's facts, checked, in the order in which they are written."""

    def __init__(self, folder, name):
        self.name, self.space = name, SERVICES[name]
        facts = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        self.target_prefix = facts["service"]["target_prefix"]
        self.signing_name = facts["service"]["signing_name"]
        self.operations, self.errors, self.shapes = facts["operations"], facts["errors"], facts["shapes"]
        self._add(folder / f"{name}.additions.json")
        self._join_access(folder / f"{name}.access.json")
        self._make_empty_outputs()
        self._check()
        self.structures = self._structures_in_order()

    def _add(self, path):
        """Facts that no SDK carries. Lists of values grow, everything else is set."""
        if not path.exists():
            return
        for name, facts in json.loads(path.read_text(encoding="utf-8")).items():
            shape = self.shapes.setdefault(name, {})
            for key, value in facts.items():
                if key == "values":
                    shape[key] = shape.get(key, []) + [v for v in value if v not in shape.get(key, [])]
                elif key == "members":
                    shape[key] = {**shape.get(key, {}), **value}
                else:
                    shape[key] = value

    def _join_access(self, path):
        access = json.loads(path.read_text(encoding="utf-8"))
        for name in access.keys() ^ self.operations.keys():
            raise ModelError(f"{path.name} and {self.name}.json do not name the same operations: {name}")
        for name, facts in access.items():
            if facts["who"] not in WHO or facts["where"] not in WHERE or facts["aws_where"] not in WHERE:
                raise ModelError(f"{path.name}: {name} has an unknown word")
            if self.operations[name].get("no_auth") and facts["who"] == "iam":
                raise ModelError(f"{path.name}: {name} comes without a signature, so it cannot be `iam`")
            # All that is done with keys is.
            self.operations[name]["audited"] = self.name == "kms"
            self.operations[name].update(facts)

    def _make_empty_outputs(self):
        for name, operation in self.operations.items():
            if "output" not in operation:
                operation["output"] = f"{name}Response"
                if self.shapes.setdefault(operation["output"], {"type": "structure", "members": {}})["members"]:
                    raise ModelError(f"{operation['output']} is another shape's name")

    def _check(self):
        for name, operation in self.operations.items():
            for error in operation["errors"]:
                if error not in self.errors:
                    raise ModelError(f"{self.name}.{name}: unknown error {error}")
        for name, shape in self.shapes.items():
            inner = [*shape.get("members", {}).values(), *(shape[k] for k in ("element", "key", "value") if k in shape)]
            for reached in inner:
                if reached not in self.shapes:
                    raise ModelError(f"{self.name}: {name} refers to {reached}, which is no shape")
            if len(shape.get("members", {})) > MEMBERS_MAX:
                raise ModelError(f"{self.name}: {name} has too many members for the parser's bits")
            if shape["type"] == "list" and self.shapes[shape["element"]]["type"] == "boolean":
                raise ModelError(f"{self.name}: {name} would be a std::vector<bool>")

    def inner(self, shape):
        return [*shape.get("members", {}).values(), *(shape[k] for k in ("element", "value") if k in shape)]

    def _structures_in_order(self):
        """Every structure after those that it contains."""
        order, state = [], {}

        def visit(name):
            if state.get(name) == "done":
                return
            if state.get(name) == "open":
                raise ModelError(f"{self.name}: {name} contains itself")
            state[name] = "open"
            for reached in self.inner(self.shapes[name]):
                visit(reached)
            state[name] = "done"
            if self.shapes[name]["type"] == "structure":
                order.append(name)

        for name in sorted(self.shapes):
            visit(name)
        return order

    def holds_sensitive(self, name):
        shape = self.shapes[name]
        inner = self.inner(shape) + ([shape["key"]] if "key" in shape else [])
        return bool(shape.get("sensitive")) or any(self.holds_sensitive(n) for n in inner)

    def of_type(self, kind):
        return [n for n in sorted(self.shapes) if self.shapes[n]["type"] == kind]

    def cpp_type(self, name):
        """Qualified, because a member may have the name of its type."""
        shape = self.shapes[name]
        kind = shape["type"]
        if kind in ("structure", "enum"):
            return f"{self.space}::{name}"
        if kind == "list":
            return f"std::vector<{self.cpp_type(shape['element'])}>"
        if kind == "map":
            return f"std::map<std::string, {self.cpp_type(shape['value'])}>"
        return SCALARS[kind]

    def enumerators(self, name):
        values = self.shapes[name]["values"]
        names = ["k" + pascal(v) for v in values]
        for twin in {n for n in names if names.count(n) > 1}:
            raise ModelError(f"{self.name}: two values of {name} would both be {twin}")
        return names


def all_errors(services, folder):
    """Name to HTTP status: what every protocol error has, and 400 or 500 for the modelled ones, as the service answers."""
    statuses = {
        name: facts["status"]
        for name, facts in json.loads((folder / "common_errors.json").read_text(encoding="utf-8")).items()
    }
    for service in services:
        for name, facts in service.errors.items():
            status = 500 if facts["fault"] == "server" else 400
            if statuses.setdefault(name, status) != status:
                raise ModelError(f"{name} has two statuses")
    return dict(sorted(statuses.items()))


def read_unimplemented(path, services):
    names = []
    for line in path.read_text(encoding="utf-8").splitlines():
        name = line.partition("#")[0].strip()
        if name:
            names.append(name)
    known = {f"{s.name}.{operation}" for s in services for operation in s.operations}
    for name in names:
        if name not in known:
            raise ModelError(f"{path.name}: {name} is no operation")
        if names.count(name) > 1:
            raise ModelError(f"{path.name}: {name} stands there twice")
    return set(names)
