"""A traced module as a list of steps that can be entered in the middle, with only the live values at hand."""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from rlcompress.errors import UnsupportedError
from rlcompress.optional import require

if TYPE_CHECKING:
    import torch
    from torch.fx import GraphModule, Node

Values = dict[Any, Any]
"""Graph node to what it gave."""


class Sink(Protocol):
    """Takes the live values at a step."""

    def append(self, values: Values, /) -> None:
        """Take them."""


_PLAIN_OPERATORS = {
    operator.iadd: operator.add,
    operator.isub: operator.sub,
    operator.imul: operator.mul,
    operator.itruediv: operator.truediv,
}


class Program:
    """The steps of a traced module.

    A value is freed after its last use, so what is alive at a step is all that is needed to go on from there: also
    across residual blocks.

    Args:
        model: in evaluation mode; its modules are used as they are, and no longer work in place.
        leaves: modules that must stay one step.
        entries: of each layer, the parameter that the step which enters it uses first.

    Raises:
        UnsupportedError: the module cannot be traced, works in place, or meets the layers in another order.
    """

    def __init__(self, model: torch.nn.Module, leaves: Collection[Any], parameters: Sequence[Any]) -> None:
        self.graph_module = _trace(model, leaves)
        self.nodes: list[Node] = list(self.graph_module.graph.nodes)
        self.modules = dict(self.graph_module.named_modules())
        _leave_no_in_place(self.nodes, self.modules)
        self.entries = _entries(self.graph_module, self.nodes, self.modules, parameters)
        last_use = {node: index for index, node in enumerate(self.nodes)}
        for index, node in enumerate(self.nodes):
            for used in node.all_input_nodes:
                last_use[used] = index
        self._dying: list[list[Node]] = [[] for _ in self.nodes]
        for node, index in last_use.items():
            self._dying[index].append(node)
        self.live = {
            entry: tuple(node for node in self.nodes[:entry] if last_use[node] >= entry) for entry in set(self.entries)
        }

    def inputs(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Values:
        """Values before the first step, for a call with these arguments."""
        waiting = list(args)
        values: Values = {}
        for node in self.nodes:
            if node.op != "placeholder":
                continue
            if node.target in kwargs:
                values[node] = kwargs[str(node.target)]
            elif waiting:
                values[node] = waiting.pop(0)
            else:
                values[node] = node.args[0] if node.args else None
        return values

    def run(
        self,
        values: Values,
        start: int,
        saves: Mapping[int, Sink],
        prepare: Callable[[int, Any, Any], None] | None = None,
    ) -> Any:
        """Run steps from `start` to the output; `values` is used up.

        Args:
            values: what is alive at `start`.
            start: index of the first step.
            saves: steps at whose entry the live values are handed to the sink, such as a list.
            prepare: called with (index, module, input) before a module runs.
        """
        for index in range(start, len(self.nodes)):
            if index in saves:
                saves[index].append({node: values[node] for node in self.live[index]})
            node = self.nodes[index]
            if node.op == "output":
                return self._argument(node.args[0], values)
            if prepare is not None and node.op == "call_module" and node.args:
                prepare(index, self.modules[str(node.target)], self._argument(node.args[0], values))
            if node.op != "placeholder":
                values[node] = self.step(node, values)
            for dead in self._dying[index]:
                values.pop(dead, None)
        raise AssertionError("a graph ends with its output")

    def step(self, node: Node, values: Values) -> Any:
        """What one step gives."""
        if node.op == "get_attr":
            return _attribute(self.graph_module, str(node.target))
        args, kwargs = self._argument(node.args, values), self._argument(node.kwargs, values)
        if node.op == "call_module":
            return self.modules[str(node.target)](*args, **kwargs)
        if node.op == "call_method":
            return getattr(args[0], str(node.target))(*args[1:], **kwargs)
        return node.target(*args, **kwargs)  # type: ignore[operator]  # a function, not a name

    def _argument(self, argument: Any, values: Values) -> Any:
        return require("torch.fx.node").map_arg(argument, values.__getitem__)


def _trace(model: Any, leaves: Collection[Any]) -> GraphModule:
    fx = require("torch.fx")
    kept = {id(module) for module in leaves}

    class Tracer(fx.Tracer):  # type: ignore[name-defined,misc]  # loaded by name
        def is_leaf_module(self, module: Any, qualified_name: str) -> bool:
            return id(module) in kept or super().is_leaf_module(module, qualified_name)

    try:
        return fx.GraphModule(model, Tracer().trace(model))  # type: ignore[no-any-return]
    except Exception as error:  # control flow on data raises whatever the user's code makes of a proxy
        reason = str(error).strip().splitlines()
        raise UnsupportedError(f"cannot be traced ({reason[0] if reason else type(error).__name__})") from error


def _leave_no_in_place(nodes: Sequence[Any], modules: Mapping[str, Any]) -> None:
    """Values that are kept must not change afterwards."""
    for module in modules.values():
        if getattr(module, "inplace", None) is True:
            module.inplace = False
    for node in nodes:
        if node.op == "call_function":
            node.target = _PLAIN_OPERATORS.get(node.target, node.target)
        if node.kwargs.get("inplace") is True:
            node.kwargs = {**node.kwargs, "inplace": False}
        name = node.target if node.op == "call_method" else getattr(node.target, "__name__", "")
        writes = name.endswith("_") and not name.endswith("__")
        if node.op in ("call_method", "call_function") and (writes or name == "setitem" or "out" in node.kwargs):
            raise UnsupportedError(f"works in place ({name})")


def _entries(
    graph_module: Any, nodes: Sequence[Any], modules: Mapping[str, Any], parameters: Sequence[Any]
) -> list[int]:
    """Index of the first step that uses each parameter."""
    wanted = {id(parameter): place for place, parameter in enumerate(parameters)}
    entries: dict[int, int] = {}
    for index, node in enumerate(nodes):
        if node.op == "call_module":
            used = [id(parameter) for parameter in modules[str(node.target)].parameters()]
        elif node.op == "get_attr":
            used = [id(_attribute(graph_module, str(node.target)))]
        else:
            continue
        for key in used:
            if key in wanted:
                entries.setdefault(wanted[key], index)
    found = [entries.get(place, -1) for place in range(len(parameters))]
    if -1 in found or found != sorted(found):
        raise UnsupportedError("meets its layers in another order when traced")
    return found


def _attribute(module: Any, path: str) -> Any:
    for name in path.split("."):
        module = getattr(module, name)
    return module
