"""What tools/generate_model.py refuses, and what it makes of the real model."""

import json
import pathlib
import shutil
import tempfile
import unittest

import generate_model
import model_patterns

MODEL = pathlib.Path(__file__).resolve().parent.parent / "model"


class Generator(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.model = pathlib.Path(scratch.name) / "model"
        shutil.copytree(MODEL, self.model)

    def refused(self, words):
        with self.assertRaisesRegex(generate_model.ModelError, words):
            generate_model.outputs(self.model)

    def change(self, name, change):
        path = self.model / name
        facts = json.loads(path.read_text())
        change(facts)
        path.write_text(json.dumps(facts))

    def unimplement(self, *names):
        (self.model / "unimplemented").write_text("".join(f"{name}\n" for name in names))

    def test_an_implemented_operation_gets_a_declaration_and_a_row(self):
        self.unimplement("cognito.GetGroup")
        files = generate_model.outputs(self.model)
        self.assertIn("CreateGroup(Call& call", files["cognito_handlers.h"])
        self.assertIn("operations::CreateGroup,", files["cognito_handlers.cc"])
        self.assertIn("DescribeReplication(Call& call", files["cognito_handlers.h"])
        self.assertIn("CreateKey(Call& call", files["kms_api_handlers.h"])
        self.assertNotIn("GetGroup(Call&", files["cognito_handlers.h"])

    def test_an_unknown_or_repeated_name_in_unimplemented_is_refused(self):
        self.unimplement("cognito.Nothing")
        self.refused("cognito.Nothing is no operation")
        self.unimplement("cognito.GetUser", "cognito.GetUser")
        self.refused("stands there twice")

    def test_an_operation_without_access_facts_is_refused(self):
        self.change("cognito.access.json", lambda facts: facts.pop("GetUser"))
        self.refused("GetUser")

    def test_an_unsigned_operation_cannot_be_administrative(self):
        self.change("cognito.access.json", lambda facts: facts["SignUp"].update(who="iam"))
        self.refused("SignUp")

    def test_a_shape_that_refers_to_nothing_or_to_itself_is_refused(self):
        self.change("symbolon.json", lambda facts: facts["shapes"]["DoubleType"].update(type="list", element="Nothing"))
        self.refused("Nothing")
        self.change("symbolon.json", lambda facts: facts["shapes"]["DoubleType"].update(element="DoubleType"))
        self.refused("contains itself")


class Patterns(unittest.TestCase):
    def test_a_row_of_classes_becomes_an_automaton(self):
        icu, elements, ascii_only = model_patterns.translate(r"[a-c]+-\d{2}")
        self.assertEqual(icu, r"[\u0061-\u0063]+[\u002D][\u0030-\u0039]{2}")
        self.assertEqual(
            [(o, r) for _, _, o, r in elements], [(False, True), (False, False), (False, False), (False, False)]
        )
        self.assertTrue(ascii_only)

    def test_alternatives_are_left_to_icu(self):
        self.assertIsNone(model_patterns.translate("^(tkn|sso)[a-z]{25}$")[1])

    def test_what_it_does_not_know_is_refused(self):
        for pattern in (r"\bword", r"[a&&b]", r"a+?", r"\p{Lu}+"):
            with self.assertRaises(model_patterns.Unsupported, msg=pattern):
                model_patterns.translate(pattern)


if __name__ == "__main__":
    unittest.main()
