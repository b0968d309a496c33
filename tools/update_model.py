#!/usr/bin/env python3
"""Rewrites model/cognito.json and model/kms.json from the machine-readable models inside the AWS SDKs.

    tools/update_model.py                  fetches the newest SDKs (needs pip and npm)
    tools/update_model.py --cache DIR      keeps the downloaded packages in DIR, and uses the ones that are there

Only facts are copied (names, types, members, bounds, patterns, enum values, errors, traits), no documentation text.
botocore's model carries bounds and patterns; the JavaScript SDK's schemas add what botocore does not have yet. Nothing
here runs at build time: tools/generate_model.py reads what this wrote.
"""

import argparse
import ast
import gzip
import json
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Operations named here are taken, all if None. The shapes that they reach come along.
SERVICES = {
    "cognito": {
        "botocore": "cognito-idp",
        "npm": "@aws-sdk/client-cognito-identity-provider",
        "operations": None,
    },
    "kms": {
        "botocore": "kms",
        "npm": "@aws-sdk/client-kms",
        "operations": [
            "CancelKeyDeletion",
            "CreateAlias",
            "CreateGrant",
            "CreateKey",
            "Decrypt",
            "DeleteAlias",
            "DeleteImportedKeyMaterial",
            "DescribeKey",
            "DisableKey",
            "DisableKeyRotation",
            "EnableKey",
            "EnableKeyRotation",
            "Encrypt",
            "GenerateDataKey",
            "GenerateDataKeyWithoutPlaintext",
            "GenerateRandom",
            "GetKeyPolicy",
            "GetKeyRotationStatus",
            "GetParametersForImport",
            "ImportKeyMaterial",
            "ListAliases",
            "ListGrants",
            "ListKeyPolicies",
            "ListKeyRotations",
            "ListKeys",
            "ListResourceTags",
            "ListRetirableGrants",
            "PutKeyPolicy",
            "ReEncrypt",
            "ReplicateKey",
            "RetireGrant",
            "RevokeGrant",
            "RotateKeyOnDemand",
            "ScheduleKeyDeletion",
            "TagResource",
            "UntagResource",
            "UpdateAlias",
            "UpdateKeyDescription",
            "UpdatePrimaryRegion",
        ],
    },
}

# The JavaScript SDK's schemas name simple types by number.
JS_SIMPLE = {
    0: "string",
    1: "integer",
    2: "boolean",
    4: "timestamp",
    5: "timestamp",
    6: "timestamp",
    7: "timestamp",
    15: "document",
    21: "blob",
}
JS_SENSITIVE = 8
JS_LIST, JS_MAP = 64, 128
# Names of the shapes that stand for simple types that the JavaScript SDK does not name.
SIMPLE_NAME = {
    "string": "StringType",
    "integer": "IntegerType",
    "boolean": "BooleanType",
    "timestamp": "DateType",
    "document": "Document",
    "blob": "BlobType",
}


def fetch(cache):
    """Downloads what is not there yet. Returns the wheel and a tarball per service."""
    cache.mkdir(parents=True, exist_ok=True)
    if not list(cache.glob("botocore-*.whl")):
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(cache), "botocore"],
            check=True,
        )
    tarballs = {}
    for name, service in SERVICES.items():
        pattern = service["npm"].lstrip("@").replace("/", "-") + "-*.tgz"
        if not list(cache.glob(pattern)):
            subprocess.run(["npm", "pack", "--silent", service["npm"]], cwd=cache, check=True)
        tarballs[name] = sorted(cache.glob(pattern))[-1]
    return sorted(cache.glob("botocore-*.whl"))[-1], tarballs


def read_botocore(wheel, service):
    with zipfile.ZipFile(wheel) as archive:
        path = next(
            n
            for n in sorted(archive.namelist(), reverse=True)
            if re.fullmatch(rf"botocore/data/{service}/[^/]+/service-2\.json(\.gz)?", n)
        )
        data = archive.read(path)
    return json.loads(gzip.decompress(data) if path.endswith(".gz") else data)


def facts_of_botocore_shape(shape):
    kind = "document" if shape.get("document") else "enum" if "enum" in shape else shape["type"]
    facts = {"type": kind}
    if kind == "structure":
        facts["members"] = {name: member["shape"] for name, member in shape["members"].items()}
        if shape.get("required"):
            facts["required"] = shape["required"]
        tokens = [name for name, member in shape["members"].items() if member.get("idempotencyToken")]
        if tokens:
            facts["idempotency"] = tokens
    elif kind == "list":
        facts["element"] = shape["member"]["shape"]
    elif kind == "map":
        facts["key"] = shape["key"]["shape"]
        facts["value"] = shape["value"]["shape"]
    elif kind == "enum":
        facts["values"] = shape["enum"]
    for bound in ("min", "max", "pattern"):
        # An enum's values imply its lengths; a list's or number's bounds are facts of their own.
        if bound in shape and kind != "enum":
            facts[bound] = shape[bound]
    if shape.get("sensitive"):
        facts["sensitive"] = True
    return facts


def from_botocore(source):
    """The whole model in our form."""
    model = {"operations": {}, "errors": {}, "shapes": {}}
    for name, shape in source["shapes"].items():
        if shape.get("exception"):
            facts = {"fault": "server" if shape.get("fault") else "client"}
            details = {m: v["shape"] for m, v in shape["members"].items() if m.lower() != "message"}
            if details:
                facts["details"] = details
            model["errors"][name] = facts
        else:
            model["shapes"][name] = facts_of_botocore_shape(shape)
    for name, operation in source["operations"].items():
        facts = {"input": operation["input"]["shape"]}
        if "output" in operation:
            facts["output"] = operation["output"]["shape"]
        facts["errors"] = sorted({e["shape"] for e in operation["errors"]})
        if "smithy.api#noAuth" in operation.get("auth", []):
            facts["no_auth"] = True
        model["operations"][name] = facts
    return model


class JsSchemas:
    """The schema arrays, enums and member types of a JavaScript SDK package."""

    def __init__(self, tarball):
        with tarfile.open(tarball) as archive:
            texts = {
                m.name: archive.extractfile(m).read().decode()
                for m in archive.getmembers()
                if re.search(
                    r"package/(dist-es/schemas/schemas_\d+\.js|dist-es/auth/httpAuthSchemeProvider\.js|"
                    r"dist-types/models/(models_\d+|enums)\.d\.ts|dist-types/commands/\w+Command\.d\.ts)$",
                    m.name,
                )
            }
        schemas = "".join(t for n, t in sorted(texts.items()) if "/schemas/" in n)
        types = "".join(t for n, t in sorted(texts.items()) if "/models/" in n)
        self.constants = dict(re.findall(r'^const (\w+) = "([^"]*)";$', schemas, re.M))
        self.arrays = {}
        for name, body in re.findall(r"^(?:export )?var (\w+\$?) = (\[-?\d+,.*?\]);$", schemas, re.M | re.S):
            python = re.sub(r"\(\) => (\w+\$?)", r'"@\1"', body).replace("`", '"')
            self.arrays[name] = self._value(ast.parse(python, mode="eval").body)
        self.enums = {
            name: re.findall(r': "([^"]*)";', body)
            for name, body in re.findall(r"export declare const (\w+): \{(.*?)\n\};", types, re.S)
        }
        self.member_enum = {}
        for interface, body in re.findall(r"export interface (\w+)[^{]*\{(.*?)\n\}", types, re.S):
            for member, kind in re.findall(r"^    (\w+)\??: (\w+)(?:\[\])? \| undefined;", body, re.M):
                if kind in self.enums:
                    self.member_enum[interface, member] = kind

        auth = texts.get("package/dist-es/auth/httpAuthSchemeProvider.js", "")
        self.no_auth = set(re.findall(r'case "(\w+)":\s*\{\s*options\.push\(createSmithyApiNoAuth', auth))
        self.errors = {}
        for path, text in texts.items():
            if command := re.search(r"/commands/(\w+)Command\.d\.ts$", path):
                self.errors[command.group(1)] = sorted(re.findall(r"@throws \{@link (\w+)\} \(", text))

    def _value(self, node):
        match node:
            case ast.List():
                return [self._value(n) for n in node.elts]
            case ast.Dict():
                return {self._value(k)[0]: self._value(v) for k, v in zip(node.keys, node.values)}
            case ast.Constant():
                return node.value
            case ast.Name():
                return self.constants.get(node.id, node.id)
            case ast.BinOp(op=ast.BitOr()):
                return self._value(node.left) | self._value(node.right)
            case ast.UnaryOp(op=ast.USub()):
                return -self._value(node.operand)
        raise ValueError(f"a schema that this script cannot read: {ast.dump(node)}")

    def of_kind(self, *kinds):
        return {a[2]: a for a in self.arrays.values() if a[0] in kinds}


def merge_js(model, js, report):
    """Adds what only the JavaScript SDK has, without bounds (it carries none)."""
    shapes = model["shapes"]

    def simple(kind):
        shapes.setdefault(SIMPLE_NAME[kind], {"type": kind})
        return SIMPLE_NAME[kind]

    def enum_shape(name):
        shapes.setdefault(name, {"type": "enum", "values": js.enums[name]})
        return name

    def shape_of(schema, enum=None):
        """The name of the shape that a schema stands for; adds it if it is new."""
        if isinstance(schema, list):  # [schema, traits of the member]
            return shape_of(schema[0], enum)
        if isinstance(schema, int):
            container, kind = schema & (JS_LIST | JS_MAP), JS_SIMPLE[schema & 63]
            element = enum_shape(enum) if enum and kind == "string" else simple(kind)
            if not container:
                return element
            name = ("ListOf" if container == JS_LIST else "MapOf") + element
            shapes.setdefault(
                name,
                (
                    {"type": "list", "element": element}
                    if container == JS_LIST
                    else {"type": "map", "key": simple("string"), "value": element}
                ),
            )
            return name
        if schema == "@__Unit":  # no input or output
            return None
        array = js.arrays[schema.lstrip("@")]
        if array[2] not in shapes:
            add_shape(array)
        return array[2]

    def add_shape(array):
        kind, name = array[0], array[2]
        report.append(f"shape {name}")
        if kind == 0:
            facts = {"type": JS_SIMPLE[array[4]]}
            if array[3] & JS_SENSITIVE:
                facts["sensitive"] = True
        elif kind == 1:
            facts = {"type": "list", "element": shape_of(array[4])}
        elif kind == 2:
            facts = {"type": "map", "key": shape_of(array[4]), "value": shape_of(array[5])}
        else:
            required = array[6] if len(array) > 6 else 0
            facts = {"type": "structure", "members": {}}
            shapes[name] = facts  # before the members, so that a shape may contain itself
            facts["members"] = {m: shape_of(s, js.member_enum.get((name, m))) for m, s in zip(array[4], array[5])}
            if required:
                facts["required"] = array[4][:required]
        shapes[name] = facts

    for name, array in js.of_kind(-3).items():
        if name not in model["errors"] and isinstance(array[3], dict):
            report.append(f"error {name}")
            model["errors"][name] = {"fault": "server" if array[3].get("error") == "server" else "client"}
    for name, array in js.of_kind(3).items():
        if name not in shapes:
            continue  # comes with the operation that needs it
        members = shapes[name].get("members", {})
        for member, schema in zip(array[4], array[5]):
            if member not in members:
                report.append(f"member {name}.{member}")
                members[member] = shape_of(schema, js.member_enum.get((name, member)))
    for name, values in js.enums.items():
        if shapes.get(name, {}).get("type") == "enum":
            new = [v for v in values if v not in shapes[name]["values"]]
            report.extend(f"value {name} {v}" for v in new)
            shapes[name]["values"] = shapes[name]["values"] + new
    for name, array in js.of_kind(9).items():
        if name not in model["operations"]:
            report.append(f"operation {name}")
            output = shape_of(array[5])
            model["operations"][name] = {
                "input": shape_of(array[4]),
                **({"output": output} if output else {}),
                "errors": js.errors[name],
                **({"no_auth": True} if name in js.no_auth else {}),
            }


def prune(model, operations):
    """Keeps the operations and what they reach."""
    if operations is not None:
        model["operations"] = {name: model["operations"][name] for name in operations}
    kept = set()

    def keep(name):
        if name is None or name in kept:
            return
        kept.add(name)
        shape = model["shapes"][name]
        for reached in [*shape.get("members", {}).values(), shape.get("element"), shape.get("key"), shape.get("value")]:
            keep(reached)

    errors = set()
    for operation in model["operations"].values():
        keep(operation["input"])
        keep(operation.get("output"))
        errors.update(operation["errors"])
    for name in errors:
        for shape in model["errors"][name].get("details", {}).values():
            keep(shape)
    model["errors"] = {n: f for n, f in model["errors"].items() if n in errors}
    model["shapes"] = {n: f for n, f in model["shapes"].items() if n in kept}


def write(path, header, model):
    """One shape, operation or error a line, in alphabetical order: a change of the API is a readable diff."""
    lines = ["{", f'"service": {json.dumps(header, ensure_ascii=False)},']
    for section in ("operations", "errors", "shapes"):
        lines.append(f'"{section}": {{')
        rows = [
            f"{json.dumps(name)}: {json.dumps(facts, ensure_ascii=False)}"
            for name, facts in sorted(model[section].items())
        ]
        lines.append(",\n".join(rows))
        lines.append("}," if section != "shapes" else "}")
    lines.append("}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def version_of(path):
    return re.search(r"-(\d+\.\d+\.\d+)", path.name).group(1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=pathlib.Path, help="folder of the downloaded packages")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        wheel, tarballs = fetch(arguments.cache or pathlib.Path(scratch))
        for name, service in SERVICES.items():
            source = read_botocore(wheel, service["botocore"])
            model, report = from_botocore(source), []
            merge_js(model, JsSchemas(tarballs[name]), report)
            prune(model, service["operations"])
            header = {
                "name": name,
                "target_prefix": source["metadata"]["targetPrefix"],
                "signing_name": source["metadata"].get("signingName", source["metadata"]["endpointPrefix"]),
                "sources": [f"botocore {version_of(wheel)}", f"{service['npm']} {version_of(tarballs[name])}"],
            }
            path = ROOT / "model" / f"{name}.json"
            write(path, header, model)
            print(
                f"{path.relative_to(ROOT)}: {len(model['operations'])} operations, {len(model['errors'])} errors, "
                f"{len(model['shapes'])} shapes"
            )
            if service["operations"] is None:
                for line in report:
                    print(f"  only in the JavaScript SDK: {line}")


if __name__ == "__main__":
    main()
