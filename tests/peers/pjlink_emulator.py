#!/usr/bin/env python3
"""A projector for tests: the emulator of the PyPI package pjlink-advance (0.2.0), steered from stdin.

    pip download --no-deps pjlink-advance==0.2.0 && unzip pjlink_advance-*.whl -d DIR
    pjlink_emulator.py --package DIR [--port 0] [--password SECRET] [--class 2]    # prints "ready 40123"

The package wants a newer Python than it needs: its emulator is loaded without the rest of the package, and the one line
that older versions cannot read (a `type` statement) is turned into an assignment while loading.

Commands on stdin, one a line; each is answered with "ok" or "error ..." on stdout:
    power off | on | warming | cooling
    mute none | video | audio | both
    freeze on | off
    signal WIDTHxHEIGHT | none | unknown
    erst 000000                 fan, lamp, temperature, cover, filter, other: 0 ok, 1 warning, 2 error
    lamp 1200 [900 ...]         hours of each lamp; "lamp" alone: no lamp, as lasers say
    unsupported INPT ...        answer ERR1 to these; alone: to none
    unavailable INPT ...        answer ERR3 to these; alone: to none
    fail ERR4                   answer this to the next query
    silent on | off             answer nothing
    drop on | off               close each connection after the greeting
    text name|maker|model|serial|firmware TEXT
    asked                       answers "ok" and the queries received since the last "asked"
    quit
The end of stdin also ends the emulator.
"""

import argparse
import asyncio
import importlib.util
import pathlib
import re
import sys
import types

TEXTS = {"name": "name", "maker": "manufacturer", "model": "model", "serial": "serial", "firmware": "software_version"}


def load(folder):
    """The emulator's modules, without the `__init__` of the package."""
    root = pathlib.Path(folder) / "pjlink_advance"
    package = types.ModuleType("pjlink_advance")
    package.__path__ = [str(root)]
    sys.modules["pjlink_advance"] = package
    loaded = {}
    for name in ("errors", "models", "protocol", "emulator"):
        full = f"pjlink_advance.{name}"
        path = root / f"{name}.py"
        source = re.sub(r"(?m)^type (\w+) =.*$", r"\1 = object", path.read_text(encoding="utf-8"))
        if name == "emulator" and sys.version_info < (3, 11):
            raise SystemExit("Python 3.11 or later is needed")
        module = importlib.util.module_from_spec(importlib.util.spec_from_loader(full, None))
        module.__file__ = str(path)
        sys.modules[full] = module
        exec(compile(source, str(path), "exec"), module.__dict__)
        loaded[name] = module
    return loaded


class Script:
    """Turns commands into the emulator's state."""

    def __init__(self, modules, emulator):
        self.models = modules["models"]
        self.emulator = emulator
        self.state = emulator.state

    def run(self, line):
        verb, *rest = line.split()
        method = getattr(self, f"do_{verb}", None)
        if method is None:
            raise ValueError(f"no command {verb}")
        return method(*rest)

    def do_power(self, word):
        self.state.power = self.models.PowerState(word)

    def do_mute(self, word):
        if word not in ("none", "video", "audio", "both"):
            raise ValueError(f"no mute {word}")
        self.state.mute = self.models.MuteState(video=word in ("video", "both"), audio=word in ("audio", "both"))

    def do_freeze(self, word):
        self.state.freeze = word == "on"

    def do_signal(self, word):
        if word == "none":
            self.state.input_resolution = self.models.NO_SIGNAL
        elif word == "unknown":
            self.state.input_resolution = self.models.UNKNOWN_RESOLUTION
        else:
            width, height = word.split("x")
            self.state.input_resolution = self.models.Resolution(int(width), int(height))

    def do_erst(self, digits):
        levels = {"0": "ok", "1": "warning", "2": "error"}
        names = self.models.ERROR_CATEGORIES
        if len(digits) != len(names):
            raise ValueError(f"{len(names)} digits are needed")
        changes = {name: self.models.ErrorLevel(levels[digit]) for name, digit in zip(names, digits)}
        self.state.errors = self.state.errors.replace(**changes)

    def do_lamp(self, *hours):
        self.state.lamps = [self.models.Lamp(int(hour), False) for hour in hours]

    def do_unsupported(self, *commands):
        self.emulator.unsupported = set(commands)

    def do_unavailable(self, *commands):
        self.emulator.unavailable = set(commands)

    def do_fail(self, answer):
        self.emulator.fail_next = answer

    def do_silent(self, word):
        self.emulator.silent = word == "on"

    def do_drop(self, word):
        self.emulator.drop_after_greeting = word == "on"

    def do_text(self, name, *text):
        setattr(self.state, TEXTS[name], " ".join(text))

    def do_asked(self):
        asked, self.emulator.received = self.emulator.received, []
        return " | ".join(asked)


async def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--package", required=True, help="folder that holds the folder pjlink_advance")
    parser.add_argument("--port", type=int, default=0, help="TCP port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--password")
    parser.add_argument("--class", dest="pj_class", type=int, default=2, choices=(1, 2))
    arguments = parser.parse_args()
    modules = load(arguments.package)
    emulator = modules["emulator"].PJLinkEmulator(
        pj_class=arguments.pj_class, password=arguments.password, host="127.0.0.1", port=arguments.port, udp_port=None
    )
    script = Script(modules, emulator)
    async with emulator:
        print(f"ready {emulator.port}", flush=True)
        lines = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
        while line := (await lines.readline()).decode().strip():
            if line == "quit":
                break
            try:
                answer = script.run(line)
                print(f"ok {answer}" if answer else "ok", flush=True)
            except Exception as error:  # a bad script line is the script's business, not the emulator's
                print(f"error {error}", flush=True)
        emulator.disconnect_all()


asyncio.run(main())
