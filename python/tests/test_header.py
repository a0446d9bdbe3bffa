"""The declarations of the package against skiplane.h, as a C compiler sees it: a header that has changed fails here."""

import ctypes
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import skiplane
from skiplane import _library

INCLUDE = Path(__file__).parents[2] / "include"
COMPILER = shlex.split(os.environ.get("CC", "cc"))

# What a C type is, as _Generic tells it, and as ctypes has it; an enumeration is one or the other.
KINDS = {
    "bool": {ctypes.c_bool},
    "int": {ctypes.c_int},
    "unsigned": {ctypes.c_int, ctypes.c_uint32},
    "unsigned long": {ctypes.c_size_t, ctypes.c_uint64},
    "float": {ctypes.c_float},
    "double": {ctypes.c_double},
}
GENERIC = ", ".join(f'{kind}: "{kind}"' for kind in KINDS)


def preprocessed():
    """The header without comments and macros, one line."""
    command = [*COMPILER, "-E", "-P", "-I", str(INCLUDE), str(INCLUDE / "skiplane.h")]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return re.sub(r"\s+", " ", text)


def run_c(lines):
    """Compile and run the body of a main(), and return the words of each line that it prints."""
    program = "#include <skiplane.h>\n#include <stdio.h>\nint main(void) {\n" + "\n".join(lines) + "\nreturn 0; }\n"
    with tempfile.TemporaryDirectory() as folder:
        source, binary = Path(folder) / "layout.c", Path(folder) / "layout"
        source.write_text(program)
        subprocess.run([*COMPILER, "-std=c17", "-I", str(INCLUDE), "-o", str(binary), str(source)], check=True)
        output = subprocess.run([str(binary)], check=True, capture_output=True, text=True).stdout
    return [line.split("|") for line in output.splitlines()]


def field_names(text, structure):
    """The fields of a structure in the header: "size_t a, b[3]; const char *c;" are a, b and c."""
    body = re.search(rf"typedef struct {structure} \{{(.*?)\}} {structure};", text).group(1)
    declarators = [part for declaration in body.split(";") for part in declaration.split(",") if part.strip()]
    return [re.search(r"(\w+)\s*(\[\w+\])?\s*$", declarator).group(1) for declarator in declarators]


def functions(text):
    """{name: (result, [argument])}, the types as they stand in the header."""
    found = {}
    for statement in text.split(";"):
        match = re.search(r"visibility\(\"default\"\)\)\) (.*?)\b(sk_\w+)\((.*)\)\s*$", statement)
        if match:
            result, name, arguments = match.groups()
            found[name] = result, [] if arguments == "void" else arguments.split(",")
    return found


def kinds_of(declaration):
    """What ctypes may have for an argument or a result; None stands for any pointer."""
    words = declaration.replace("const ", "").split()
    if "*" in declaration or "[" in declaration:
        return None
    plain = {"size_t": ctypes.c_size_t, "uint64_t": ctypes.c_uint64, "int": ctypes.c_int, "_Bool": ctypes.c_bool}
    plain.update({"float": ctypes.c_float, "double": ctypes.c_double, "void": type(None)})
    return {plain.get(words[0], ctypes.c_int)}  # the rest are enumerations


def is_pointer(kind):
    return kind in (ctypes.c_void_p, ctypes.c_char_p) or issubclass(kind, (ctypes._Pointer, ctypes.Array))


@unittest.skipUnless(shutil.which(COMPILER[0]), f"there is no C compiler {COMPILER[0]}")
class Header(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.text = preprocessed()

    def test_structures(self):
        lines = []
        for name in _library.STRUCTURES:
            lines.append(f'printf("{name}||0|%zu|\\n", sizeof({name}));')
            for field in field_names(self.text, name):
                value = f"(({name} *)0)->{field}"
                kind = f'_Generic({value}, {GENERIC}, default: "")'
                lines.append(
                    f'printf("{name}|{field}|%zu|%zu|%s\\n", (size_t)&{value}, sizeof({value}), {kind});',
                )
        for name, field, offset, size, kind in run_c(lines):
            structure = _library.STRUCTURES[name]
            with self.subTest(structure=name, field=field):
                if not field:
                    self.assertEqual(ctypes.sizeof(structure), int(size))
                    continue
                declared = getattr(structure, field, None)
                self.assertIsNotNone(declared, "not in the package")
                self.assertEqual((declared.offset, declared.size), (int(offset), int(size)))
                if kind:
                    self.assertIn(dict(structure._fields_)[field], KINDS[kind])

    def test_structures_have_no_other_fields(self):
        for name, structure in _library.STRUCTURES.items():
            with self.subTest(structure=name):
                self.assertEqual([field for field, _ in structure._fields_], field_names(self.text, name))

    def test_functions(self):
        declared = functions(self.text)
        for name, (result, arguments) in _library.FUNCTIONS.items():
            with self.subTest(function=name):
                self.assertIn(name, declared, "not in the header")
                c_result, c_arguments = declared[name]
                self.assertEqual(len(arguments), len(c_arguments), "number of arguments")
                self.assertEqual(result is _library.Status, c_result.strip() == "sk_status", "whether it has a status")
                if result is not _library.Status:
                    self.check_kind(type(None) if result is None else result, c_result)
                for kind, c_argument in zip(arguments, c_arguments):
                    self.check_kind(kind, c_argument)

    def check_kind(self, kind, declaration):
        kinds = kinds_of(declaration)
        if kinds is None:
            self.assertTrue(is_pointer(kind), f"{kind} for {declaration}")
        else:
            self.assertIn(kind, kinds, declaration)

    def test_constants(self):
        lines = [f'printf("{name}|%d\\n", (int){name});' for name in _library.CONSTANTS]
        self.assertEqual({name: int(value) for name, value in run_c(lines)}, _library.CONSTANTS)

    def test_every_status_is_an_error(self):
        enumerators = re.search(r"typedef enum sk_status \{(.*?)\}", self.text).group(1)
        names = re.findall(r"SK_\w+", enumerators)
        self.assertEqual(names, [name for name in _library.CONSTANTS if name in names])
        self.assertEqual(len(_library._ERRORS), len(names) - 1)

    def test_version(self):
        lines = ['printf("%d.%d.%d\\n", SK_VERSION_MAJOR, SK_VERSION_MINOR, SK_VERSION_PATCH);']
        self.assertEqual(run_c(lines), [[skiplane.__version__]])


if __name__ == "__main__":
    unittest.main()
