"""What runs here: the library's version, and instruction sets (ISAs)."""

from __future__ import annotations

from ctypes import byref, c_int

from . import _arguments
from ._library import CONSTANTS, lib, text


def version() -> str:
    """Return the version of the library that was loaded: "0.1.0"."""
    return text(lib.sk_version())


def isas(*, built: bool = False) -> list[str]:
    """Return the ISAs that this machine can run, or all that the library was built with. "generic" is the plain C."""
    has = lib.sk_isa_built if built else lib.sk_isa_available
    numbers = range(CONSTANTS["SK_ISA_AUTO"] + 1, CONSTANTS["SK_ISA_COUNT"])
    return [_arguments.isa_name(number) for number in numbers if has(number)]


def choose_isa(isa: str = "auto") -> str:
    """Return the ISA that a plan would run: what SKIPLANE_ISA or `isa` asks for, or the best one.

    Raises InvalidArgumentError for an unknown name and UnsupportedError for one that this machine lacks.
    """
    chosen = c_int()
    lib.sk_isa_choose(_arguments.isa(isa), byref(chosen))
    return _arguments.isa_name(chosen.value)
