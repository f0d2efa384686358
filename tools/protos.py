"""Generates the Python of the wire contract, its validation rules and its lint image from proto/.

Validation options would make every client import protovalidate's descriptors, and two versions of those can't live
in one process. So the generated classes carry none; the gateway
validates against rules.binpb, the same contract with them.

    python tools/protos.py            write clients/python/brightline/v1 and gateway/assets/rules.binpb
    python tools/protos.py --check    fail when what is committed is not what proto/ says
    python tools/protos.py --image F  write the image that buf lints and compares
"""

from __future__ import annotations

import argparse
import filecmp
import sys
import tempfile
from pathlib import Path

from google.protobuf import descriptor_pb2, duration_pb2, field_mask_pb2, struct_pb2, timestamp_pb2
from grpc_tools import protoc  # type: ignore[import-untyped]  # the package has no types
from protovalidate._gen.buf.validate import validate_pb

ROOT = Path(__file__).parent.parent
PROTO = ROOT / "proto"
CODE = Path("clients/python/brightline/v1")
RULES = Path("gateway/assets/rules.binpb")
OPTIONS = "buf/validate/validate.proto"


def main() -> int:
    """Run as the module's text says; returns the exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--image", type=Path)
    arguments = parser.parse_args()
    if arguments.image:
        arguments.image.write_bytes(contract().SerializeToString())
        return 0
    if not arguments.check:
        generate(ROOT)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        stale = [p for p in produced(Path(folder)) if not same(Path(folder) / p, ROOT / p)]
    for path in stale:
        print(f"{path}: is not what proto/ says; run: make protos", file=sys.stderr)
    return 1 if stale else 0


def generate(root: Path) -> None:
    """Write generated classes and rules below `root`."""
    rules = contract()
    for file in rules.file:
        file.ClearField("source_code_info")
    (root / RULES).parent.mkdir(parents=True, exist_ok=True)
    (root / RULES).write_bytes(rules.SerializeToString(deterministic=True))
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "plain.binpb"
        plain.write_bytes(stripped(rules).SerializeToString(deterministic=True))
        out = root / "clients/python"
        out.mkdir(parents=True, exist_ok=True)
        names = [f.name for f in rules.file if f.name.startswith("brightline/")]
        flags = [f"--{kind}_out={out}" for kind in ("python", "pyi", "grpc_python")]
        run(["protoc", f"--descriptor_set_in={plain}", *flags, *names])
    for empty in (root / CODE).glob("*_pb2_grpc.py"):
        if "class " not in empty.read_text():
            empty.unlink()


def contract() -> descriptor_pb2.FileDescriptorSet:
    """proto/ with everything it imports and its comments."""
    with tempfile.TemporaryDirectory() as folder:
        known, image = Path(folder) / "known.binpb", Path(folder) / "image.binpb"
        known.write_bytes(imports().SerializeToString())
        names = sorted(str(p.relative_to(PROTO)) for p in PROTO.rglob("*.proto"))
        flags = [f"--descriptor_set_in={known}", "--include_imports", "--include_source_info", f"-o{image}"]
        run(["protoc", f"-I{PROTO}", *flags, *names])
        return descriptor_pb2.FileDescriptorSet.FromString(image.read_bytes())


def imports() -> descriptor_pb2.FileDescriptorSet:
    """What proto/ may import: the well-known types and the options of the installed protovalidate."""
    found = descriptor_pb2.FileDescriptorSet()
    for module in (descriptor_pb2, duration_pb2, timestamp_pb2, field_mask_pb2, struct_pb2):
        module.DESCRIPTOR.CopyToProto(found.file.add())
    found.file.add().ParseFromString(validate_pb.desc().proto.to_binary())
    return found


def stripped(rules: descriptor_pb2.FileDescriptorSet) -> descriptor_pb2.FileDescriptorSet:
    """The same contract without validation options."""
    plain = descriptor_pb2.FileDescriptorSet()
    for file in rules.file:
        if file.name == OPTIONS:
            continue
        copy = plain.file.add()
        copy.CopyFrom(file)
        if OPTIONS in copy.dependency:
            copy.dependency.remove(OPTIONS)
        if copy.name.startswith("brightline/"):
            for message in copy.message_type:
                strip_message(message)
    return plain


def strip_message(message: descriptor_pb2.DescriptorProto) -> None:
    """Remove the options of the message, its fields and oneofs, and of messages inside it."""
    message.ClearField("options")
    for element in (*message.field, *message.oneof_decl):
        element.ClearField("options")
    for inner in message.nested_type:
        strip_message(inner)


def produced(root: Path) -> list[Path]:
    """Every file below `root`, relative to it."""
    return sorted(p.relative_to(root) for p in root.rglob("*") if p.is_file())


def same(left: Path, right: Path) -> bool:
    """Whether both files exist with the same bytes."""
    return right.exists() and filecmp.cmp(left, right, shallow=False)


def run(arguments: list[str]) -> None:
    """Run protoc; leave the program when it fails, with its own message."""
    if protoc.main(arguments) != 0:
        sys.exit("protoc failed")


if __name__ == "__main__":
    sys.exit(main())
