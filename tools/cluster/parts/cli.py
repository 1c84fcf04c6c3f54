"""The command line of the test cluster.

Enters: arguments. Leaves: an exit code. Called by `rig`.
"""

import argparse
import os
import sys
from pathlib import Path

from parts.process import inside, running_node
from parts.shell import ClusterError

DESCRIPTION = """A real Kubernetes and Istio on one Debian machine, without a registry of images.

  rig build            install Debian's parts, build the programs from their Go modules, make images
  rig up               the same where needed; start everything and wait until it is ready
  rig image TAG DIR    build DIR's Dockerfile (options of buildah bud may follow) and load it
  rig load FILE...     import image archives (docker-archive or OCI) into the node
  rig exec CMD...      run a command inside the node (its network and its mounts)
  rig visit CMD...     run a command on a second host beside the node, which has three addresses
  rig status           what runs, and how to reach it
  rig down             end everything
"""


def main() -> int:
    """Parse, run, report."""
    options = _parser().parse_args()
    try:
        _run(options)
    except ClusterError as problem:
        print(f"rig: {problem}", file=sys.stderr)
        return 1
    except OSError as problem:  # no space, no permission: the file is named
        if options.command in {"node", "relay"}:
            raise
        print(f"rig: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("rig: interrupted; `make cluster` starts anew what is half done", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="rig", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in ("build", "up", "down", "status", "node"):
        commands.add_parser(name)
    one = commands.add_parser("load")
    one.add_argument("files", nargs="+", type=Path)
    one = commands.add_parser("image")
    one.add_argument("tag")
    one.add_argument("directory")
    one.add_argument("options", nargs=argparse.REMAINDER)
    for name in ("exec", "visit"):
        commands.add_parser(name).add_argument("words", nargs=argparse.REMAINDER)
    one = commands.add_parser("relay")
    one.add_argument("pid", type=int)
    one.add_argument("rules", nargs="+")
    return parser


def _run(options: argparse.Namespace) -> None:
    # Imported late: inside the node, only its own part is needed.
    from parts import cluster, images, machine, node, relay

    if options.command in {"down", "load", "image", "exec", "visit"}:
        machine.need_root()  # build and up say all that is missing, at once
    match options.command:
        case "build":
            cluster.build()
        case "up":
            cluster.up()
        case "down":
            cluster.down()
        case "status":
            cluster.status()
        case "node":
            node.main()
        case "relay":
            relay.main(options.pid, options.rules)
        case "load":
            images.load([file.resolve() for file in options.files], running_node())
        case "image":
            images.from_dockerfile(options.tag, options.directory, options.options)
        case "exec" | "visit":
            host = ["ip", "netns", "exec", "visitors"] if options.command == "visit" else []
            command = [*inside(running_node()), *host, *options.words]
            os.execvp(command[0], command)
