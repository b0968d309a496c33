#!/usr/bin/env python3
"""Makes C++ from model/*.json at build time: structs, descriptor tables, operations, errors, handler declarations.

    tools/generate_model.py MODEL_DIR OUT_DIR

What comes out is described in model/README.md. Files that would not change are left alone, so a changed fact rebuilds
only what depends on it. Needs the standard library only.
"""

import json
import pathlib
import re
import sys

import model_patterns
from model_facts import (
    MODULES,
    SERVICES,
    VALIDATION_ERROR,
    WELL_KNOWN,
    ModelError,
    Service,
    all_errors,
    pascal,
    read_unimplemented,
)

BANNER = "// Made by tools/generate_model.py from model/: change those.\n"


def snake(name):
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def literal(text):
    return json.dumps(text, ensure_ascii=False)


def raw(text):
    return f'R"~({text})~"'


def shapes_header(service):
    out = [
        BANNER,
        f"// The shapes of {service.target_prefix}. Required members are plain values, all others optional;"
        " names are the API's.\n#pragma once\n",
        "#include <cstdint>\n#include <map>\n#include <optional>\n#include <string>\n#include <string_view>\n"
        "#include <vector>\n",
        '#include "base/bytes.h"\n#include "base/clock.h"\n#include "wire/document.h"\n',
        f"namespace symbolon::model::{service.space} {{\n",
    ]
    for name in service.of_type("enum"):
        out.append(f"enum class {name} : std::uint16_t {{ {', '.join(service.enumerators(name))} }};")
        out.append(f"std::string_view ToString({name} value);")
        out.append(f"std::optional<{name}> Parse{name}(std::string_view text);\n")
    for name in service.structures:
        shape = service.shapes[name]
        out.append(f"struct {name} {{")
        for member, member_shape in shape["members"].items():
            cpp = service.cpp_type(member_shape)
            if member in shape.get("required", []):
                out.append(f"  {cpp} {member}{{}};")
            else:
                out.append(f"  std::optional<{cpp}> {member}{{}};")
        out.append("};\n")
    out.append(f"}}  // namespace symbolon::model::{service.space}\n")
    return "\n".join(out)


def tables_header(service):
    out = [
        BANNER,
        f"// The descriptors of {service.target_prefix}'s shapes.\n#pragma once\n",
        '#include "wire/shape.h"\n',
        f"namespace symbolon::model::{service.space}::shapes {{\n",
    ]
    out += [f"extern const wire::Shape k{name};" for name in sorted(service.shapes)]
    out.append("\n// All of the above.")
    out.append(f"extern const wire::Shape* const kAll[{len(service.shapes)}];\n")
    out.append(f"}}  // namespace symbolon::model::{service.space}::shapes\n")
    return "\n".join(out)


def pattern_tables(service):
    """The definitions, and the name of each pattern."""
    texts = sorted({s["pattern"] for s in service.shapes.values() if "pattern" in s})
    out, names = [], {}
    for number, text in enumerate(texts):
        try:
            icu, elements, ascii_only = model_patterns.translate(text)
        except model_patterns.Unsupported as reason:
            raise ModelError(f"{service.name}: pattern {text}: {reason}") from reason
        row = "nullptr"
        if elements is not None:
            items = ", ".join(
                f"{{{{0x{low:x}, 0x{high:x}}}, {str(o).lower()}, {str(r).lower()}}}" for low, high, o, r in elements
            )
            out.append(f"constexpr wire::PatternRow kRow{number}{{{items}}};")
            row = f"&kRow{number}"
        names[text] = f"kPattern{number}"
        out.append(
            f"constinit const wire::Pattern {names[text]}({raw(text)}, {raw(icu)}, {row}, {str(ascii_only).lower()});"
        )
    return out, names


def shape_table(service, name, patterns):
    shape = service.shapes[name]
    kind = shape["type"]
    fields = [f".name = {literal(name)}", f".kind = wire::Kind::k{kind.capitalize()}"]
    if shape.get("sensitive"):
        fields.append(".sensitive = true")
    if service.holds_sensitive(name):
        fields.append(".holds_sensitive = true")
    fields += [f".{bound} = {shape[bound]}" for bound in ("min", "max") if bound in shape]
    if "pattern" in shape:
        fields.append(f".pattern = &{patterns[shape['pattern']]}")
    if kind == "enum":
        fields.append(f".enum_values = kValuesOf{name}")
    if kind in ("list", "map"):
        fields.append(f".element = &shapes::k{shape['element' if kind == 'list' else 'value']}")
    if kind == "list":
        fields.append(f".list = &wire::kListAccess<{service.cpp_type(shape['element'])}>")
    if kind == "map":
        fields.append(f".key = &shapes::k{shape['key']}")
        fields.append(f".map = &wire::kMapAccess<{service.cpp_type(shape['value'])}>")
    if kind == "structure":
        fields.append(f".structure = &wire::kStructureAccess<{name}>")
        if shape["members"]:
            fields.append(f".members = kMembersOf{name}")
    return f"constinit const wire::Shape shapes::k{name} = {{{', '.join(fields)}}};"


def tables_source(service):
    patterns_text, patterns = pattern_tables(service)
    out = [
        BANNER,
        f'#include "model/{service.space}_tables.h"\n',
        "#include <algorithm>\n#include <cstddef>\n#include <iterator>\n",
        f'#include "model/{service.space}_shapes.h"\n#include "wire/pattern.h"\n',
        "// std::optional is no standard-layout type, so the structs are none; clang defines offsetof for them.",
        '#pragma clang diagnostic ignored "-Winvalid-offsetof"\n',
        f"namespace symbolon::model::{service.space} {{\nnamespace {{\n",
    ]
    out += patterns_text
    for name in service.of_type("enum"):
        values = ", ".join(literal(v) for v in service.shapes[name]["values"])
        out.append(f"constexpr std::string_view kValuesOf{name}[] = {{{values}}};")
    for name in service.structures:
        shape = service.shapes[name]
        if not shape["members"]:
            continue
        out.append(f"constexpr wire::Member kMembersOf{name}[] = {{")
        for member, member_shape in shape["members"].items():
            slot = (
                "nullptr" if member in shape.get("required", []) else f"&wire::kSlot<{service.cpp_type(member_shape)}>"
            )
            out.append(f"    {{{literal(member)}, &shapes::k{member_shape}, offsetof({name}, {member}), {slot}}},")
        out.append("};")
    if service.of_type("enum"):
        out.append("""
template <class T>
std::optional<T> Find(std::span<const std::string_view> values, std::string_view text) {
  const auto found = std::ranges::find(values, text);
  if (found == values.end()) return std::nullopt;
  return static_cast<T>(found - values.begin());
}""")
    out.append("\n}  // namespace\n")
    out += [shape_table(service, name, patterns) for name in sorted(service.shapes)]
    everything = ", ".join(f"&shapes::k{name}" for name in sorted(service.shapes))
    out.append(f"constinit const wire::Shape* const shapes::kAll[{len(service.shapes)}] = {{{everything}}};\n")
    for name in service.of_type("enum"):
        out.append(
            f"std::string_view ToString({name} value) {{ return kValuesOf{name}[static_cast<std::size_t>(value)]; }}"
        )
        out.append(
            f"std::optional<{name}> Parse{name}(std::string_view text) {{ return Find<{name}>(kValuesOf{name}, text); }}"
        )
    out.append(f"\n}}  // namespace symbolon::model::{service.space}\n")
    return "\n".join(out)


def errors_header(errors):
    return "\n".join(
        [
            BANNER,
            "// What a client is told when something fails. Nothing of this may carry a detail that is meant for the operator.",
            "#pragma once\n",
            "#include <string>\n#include <string_view>\n#include <utility>\n",
            '#include "base/result.h"\n',
            "namespace symbolon::model {\n",
            "enum class ErrorCode {",
            *(f"  k{name}," for name in errors),
            "};\n",
            '// "UserNotFoundException".',
            "std::string_view ToString(ErrorCode code);",
            "int HttpStatusOf(ErrorCode code);\n",
            "// The answer of an operation that did not succeed.",
            "struct ApiError {",
            "  ErrorCode code;",
            "  std::string message;",
            "};\n",
            "template <class T>",
            "using ApiResult = Result<T, ApiError>;\n",
            '// `return Fail(ErrorCode::kUserNotFoundException, "User does not exist.");`',
            "[[nodiscard]] inline tl::unexpected<ApiError> Fail(ErrorCode code, std::string message) {",
            "  return tl::unexpected<ApiError>(ApiError{code, std::move(message)});",
            "}\n",
            "}  // namespace symbolon::model\n",
        ]
    )


def errors_source(errors):
    out = [
        BANNER,
        '#include "model/api_error.h"\n',
        "namespace symbolon::model {\nnamespace {\n",
        "struct Row {",
        "  std::string_view name;",
        "  int http_status;",
        "};",
        "constexpr Row kRows[] = {",
    ]
    out += [f"    {{{literal(name)}, {status}}}," for name, status in errors.items()]
    out += [
        "};\n",
        "const Row& RowOf(ErrorCode code) { return kRows[static_cast<std::size_t>(code)]; }\n",
        "}  // namespace\n",
        "std::string_view ToString(ErrorCode code) { return RowOf(code).name; }",
        "int HttpStatusOf(ErrorCode code) { return RowOf(code).http_status; }\n",
        "}  // namespace symbolon::model\n",
    ]
    return "\n".join(out)


def operations_header(services):
    out = [
        BANNER,
        "// The operations: what they are called, who may call them, where they are allowed. Constants.\n#pragma once\n",
        "#include <cstdint>\n#include <span>\n#include <string_view>\n",
        '#include "model/api_error.h"\n#include "wire/shape.h"\n',
        "namespace symbolon::model {\n",
        f"enum class Service : std::uint8_t {{ {', '.join('k' + pascal(s.space) for s in services)} }};\n",
        "enum class Who : std::uint8_t {",
        "  kIam,             // signed with an access key",
        "  kAccessToken,     // member AccessToken",
        "  kTokenOrSession,  // member AccessToken or Session",
        "  kRefreshToken,    // the refresh token, and the client's secret if it has one",
        "  kClientSecret,    // the client's secret; signed or not",
        "  kFeedbackToken,   // member FeedbackToken",
        "  kNobody,          // public",
        "};\n",
        "enum class Where : std::uint8_t {",
        "  kPrimary,          // the pool's primary Region only",
        "  kAnyReplica,       // every Region that has the pool, INACTIVE ones too",
        "  kActiveReplica,    // every Region whose replica is ACTIVE",
        "  kRegionalSetting,  // as kAnyReplica, but on a secondary only for what is set per Region",
        "  kRegionLocal,      // concerns no single pool",
        "};\n",
        "struct OperationFacts {",
        "  Service service;",
        "  // The value of the service's enum class Operation.",
        "  std::uint16_t index;",
        "  std::string_view name;",
        "  Who who;",
        "  // As this product allows it, and as AWS does.",
        "  Where where;",
        "  Where aws_where;",
        "  std::uint32_t body_limit_bytes;",
        "  // False: listed in model/unimplemented; there is no handler.",
        "  bool implemented;",
        "  // Calls go into the audit trail, refused ones of known callers among them.",
        "  bool audited;",
        "  // What the API documents; sorted.",
        "  std::span<const ErrorCode> errors;",
        "  const wire::Shape* input;",
        "  const wire::Shape* output;",
        "  // Members of the input, for wire::Request::Text; nullptr where the input has none of that name.",
        *(f"  const wire::Member* {snake(name)};" for name in WELL_KNOWN),
        "};\n",
        '// By X-Amz-Target, "AWSCognitoIdentityProviderService.GetUser"; nullptr if there is none.',
        "const OperationFacts* FindOperation(std::string_view target);\n",
        '// "AWSCognitoIdentityProviderService".',
        "std::string_view TargetPrefixOf(Service service);",
        '// In the scope of a signature: "cognito-idp".',
        "std::string_view SigningNameOf(Service service);",
        "// What the service answers when a member breaks its bounds.",
        "ErrorCode ValidationErrorOf(Service service);",
        "// All operations of a service, in the order of its enum class Operation.",
        "std::span<const OperationFacts> OperationsOf(Service service);\n",
        "}  // namespace symbolon::model\n",
    ]
    return "\n".join(out)


def operations_source(services, unimplemented):
    out = [BANNER, '#include "model/operations.h"\n', "#include <algorithm>\n#include <iterator>\n"]
    out += [f'#include "model/{s.space}_operations.h"\n#include "model/{s.space}_tables.h"' for s in services]
    out.append("\nnamespace symbolon::model {\nnamespace {\n")
    for service in services:
        prefix = pascal(service.space)
        for name, operation in sorted(service.operations.items()):
            if operation["errors"]:
                codes = ", ".join(f"ErrorCode::k{e}" for e in sorted(operation["errors"]))
                out.append(f"constexpr ErrorCode k{prefix}{name}Errors[] = {{{codes}}};")
        out.append(f"const OperationFacts k{prefix}Operations[] = {{")
        for name, operation in sorted(service.operations.items()):
            where, aws_where = ("Where::k" + pascal(operation[k]) for k in ("where", "aws_where"))
            members = list(service.shapes[operation["input"]]["members"])
            known = [
                (
                    f"&{service.space}::shapes::k{operation['input']}.members[{members.index(m)}]"
                    if m in members
                    else "nullptr"
                )
                for m in WELL_KNOWN
            ]
            out.append(
                f"    {{Service::k{prefix}, static_cast<std::uint16_t>({service.space}::Operation::k{name}), {literal(name)}, "
                f"Who::k{pascal(operation['who'])}, {where}, {aws_where}, {operation['body_limit_bytes']}, "
                f"{str(f'{service.name}.{name}' not in unimplemented).lower()}, "
                f"{str(operation['audited']).lower()}, "
                f"{f'k{prefix}{name}Errors' if operation['errors'] else '{}'}, "
                f"&{service.space}::shapes::k{operation['input']}, &{service.space}::shapes::k{operation['output']}, "
                f"{', '.join(known)}}},"
            )
        out.append("};\n")
    out += [
        "struct ServiceFacts {",
        "  std::string_view target_prefix;",
        "  std::string_view signing_name;",
        "  ErrorCode validation_error;",
        "  std::span<const OperationFacts> operations;",
        "};",
        "const ServiceFacts kServices[] = {",
    ]
    out += [
        f"    {{{literal(s.target_prefix)}, {literal(s.signing_name)}, ErrorCode::k{VALIDATION_ERROR[s.name]}, "
        f"k{pascal(s.space)}Operations}},"
        for s in services
    ]
    out.append("""};

const ServiceFacts& FactsOf(Service service) { return kServices[static_cast<std::size_t>(service)]; }

}  // namespace

const OperationFacts* FindOperation(std::string_view target) {
  const std::size_t dot = target.find('.');
  if (dot == std::string_view::npos) return nullptr;
  for (const ServiceFacts& service : kServices) {
    if (service.target_prefix != target.substr(0, dot)) continue;
    // Generated in the order of their names.
    const auto found = std::ranges::lower_bound(service.operations, target.substr(dot + 1), {}, &OperationFacts::name);
    if (found == service.operations.end() || found->name != target.substr(dot + 1)) return nullptr;
    return &*found;
  }
  return nullptr;
}

std::string_view TargetPrefixOf(Service service) { return FactsOf(service).target_prefix; }
std::string_view SigningNameOf(Service service) { return FactsOf(service).signing_name; }
ErrorCode ValidationErrorOf(Service service) { return FactsOf(service).validation_error; }
std::span<const OperationFacts> OperationsOf(Service service) { return FactsOf(service).operations; }
""")
    for service in services:
        out.append(
            f"const OperationFacts& FactsOf({service.space}::Operation operation) {{ "
            f"return k{pascal(service.space)}Operations[static_cast<std::size_t>(operation)]; }}"
        )
    out.append("\n}  // namespace symbolon::model\n")
    return "\n".join(out)


def service_operations_header(service):
    names = ",\n  ".join(f"k{name}" for name in sorted(service.operations))
    return "\n".join(
        [
            BANNER,
            f"// The operations of {service.target_prefix}.\n#pragma once\n",
            "#include <cstdint>\n",
            '#include "model/operations.h"\n',
            f"namespace symbolon::model {{\nnamespace {service.space} {{\n",
            f"enum class Operation : std::uint16_t {{\n  {names},\n}};\n",
            f"}}  // namespace {service.space}\n",
            f"const OperationFacts& FactsOf({service.space}::Operation operation);\n",
            "}  // namespace symbolon::model\n",
        ]
    )


def handlers_header(module, services, unimplemented):
    out = [
        BANNER,
        f"// The functions that {module} has to define: one per operation that is not in model/unimplemented.\n#pragma once\n",
        "#include <string>\n",
        '#include "model/api_error.h"',
    ]
    out += [f'#include "model/{s.space}_shapes.h"' for s in services]
    out += [
        '#include "model/operations.h"',
        '#include "wire/request.h"\n',
        f"namespace symbolon::{module} {{\n",
        "// What an operation works with; the module defines it.",
        "class Call;\n",
        "namespace operations {\n",
    ]
    for service in services:
        for name, operation in sorted(service.operations.items()):
            if f"{service.name}.{name}" not in unimplemented:
                space = f"model::{service.space}"
                out.append(
                    f"model::ApiResult<{space}::{operation['output']}> {name}(Call& call, const {space}::{operation['input']}& request);"
                )
    out += [
        "\n}  // namespace operations\n",
        "// Runs the operation on a request of its input shape; the answer is the response's JSON text.",
        "using Handler = model::ApiResult<std::string> (*)(Call& call, const wire::Request& request);",
        "// nullptr for an operation of model/unimplemented and for one that another module serves.",
        "Handler FindHandler(const model::OperationFacts& operation);\n",
        f"}}  // namespace symbolon::{module}\n",
    ]
    return "\n".join(out)


def handlers_source(module, services, unimplemented):
    out = [BANNER, f'#include "model/{module}_handlers.h"\n', "#include <utility>\n"]
    out += [f'#include "model/{s.space}_tables.h"' for s in services]
    out.append(f"""#include "wire/serialise.h"

namespace symbolon::{module} {{
namespace {{

template <auto handler, const wire::Shape* output, class Request>
model::ApiResult<std::string> Run(Call& call, const wire::Request& request) {{
  auto response = handler(call, request.As<Request>());
  if (!response) return Err(std::move(response).error());
  std::string text = wire::Serialise(*output, &*response);
  wire::WipeSensitive(*output, &*response);
  return text;
}}
""")
    for service in services:
        out.append(f"constexpr Handler k{pascal(service.space)}Handlers[] = {{")
        for name, operation in sorted(service.operations.items()):
            if f"{service.name}.{name}" in unimplemented:
                out.append(f"    nullptr,  // {name}")
            else:
                out.append(
                    f"    Run<operations::{name}, &model::{service.space}::shapes::k{operation['output']}, "
                    f"model::{service.space}::{operation['input']}>,"
                )
        out.append("};\n")
    out += [
        "}  // namespace\n",
        "Handler FindHandler(const model::OperationFacts& operation) {",
        "  switch (operation.service) {",
    ]
    for service in services:
        out += [
            f"    case model::Service::k{pascal(service.space)}:",
            f"      return k{pascal(service.space)}Handlers[operation.index];",
        ]
    out += ["    default:", "      return nullptr;", "  }", "}\n", f"}}  // namespace symbolon::{module}\n"]
    return "\n".join(out)


def outputs(folder):
    services = [Service(folder, name) for name in SERVICES]
    by_name = {s.name: s for s in services}
    unimplemented = read_unimplemented(folder / "unimplemented", services)
    errors = all_errors(services, folder)
    files = {
        "api_error.h": errors_header(errors),
        "api_error.cc": errors_source(errors),
        "operations.h": operations_header(services),
        "operations.cc": operations_source(services, unimplemented),
    }
    for service in services:
        files[f"{service.space}_shapes.h"] = shapes_header(service)
        files[f"{service.space}_tables.h"] = tables_header(service)
        files[f"{service.space}_tables.cc"] = tables_source(service)
        files[f"{service.space}_operations.h"] = service_operations_header(service)
    for module, names in MODULES.items():
        served = [by_name[n] for n in names]
        files[f"{module}_handlers.h"] = handlers_header(module, served, unimplemented)
        files[f"{module}_handlers.cc"] = handlers_source(module, served, unimplemented)
    return files


def main():
    folder, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    try:
        files = outputs(folder)
    except ModelError as error:
        sys.exit(f"model/: {error}")
    out.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        path = out / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
