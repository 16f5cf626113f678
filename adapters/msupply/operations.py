"""The operations we send, by name, fitted to what one server offers.

``operations.graphql`` holds them, ``interface.graphql`` the part of the interface that they stand on. What a server
lacks (msupply.md, section 9) is left out of the text that goes to it; an operation that makes no sense without what is
missing is not sent at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from graphql import (
    REMOVE,
    ArgumentNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSchema,
    OperationDefinitionNode,
    SelectionSetNode,
    TypeInfo,
    TypeInfoVisitor,
    VariableDefinitionNode,
    VariableNode,
    Visitor,
    build_schema,
    get_named_type,
    is_composite_type,
    parse,
    parse_value,
    print_ast,
    visit,
)

from adapters.errors import BadReply

SENT = (
    "ServerState",
    "Login",
    "RenewToken",
    "Me",
    "MyPermissions",
    "Items",
    "ItemsWithStats",
    "Programs",
    "Names",
    "StockLines",
    "RequisitionsWithLines",
    "RequisitionDetail",
    "ShipmentsWithLines",
    "ShipmentDetail",
    "SaveRequestLines",
    "SendRequest",
    "SetSupplyQuantity",
    "FinaliseResponse",
    "UpdateOutboundShipment",
    "UpdateInboundShipment",
)
"""What the code of this package sends; the other operations of the file are compared with a server, never sent."""

ESSENTIAL = frozenset(
    {
        "ItemNode.id",
        "ItemNode.name",
        "NameNode.id",
        "NameNode.name",
        "NameNode.type",
        "ProgramNode.id",
        "StockLineNode.id",
        "StockLineNode.itemId",
        "StockLineNode.packSize",
        "StockLineNode.totalNumberOfPacks",
        "RequisitionNode.id",
        "RequisitionNode.type",
        "RequisitionNode.status",
        "RequisitionNode.otherPartyId",
        "RequisitionNode.lines",
        "RequisitionLineNode.id",
        "RequisitionLineNode.itemId",
        "RequisitionLineNode.requestedQuantity",
        "RequisitionLineNode.supplyQuantity",
        "InvoiceNode.id",
        "InvoiceNode.type",
        "InvoiceNode.status",
        "InvoiceNode.otherPartyId",
        "InvoiceNode.lines",
        "InvoiceLineNode.id",
        "InvoiceLineNode.itemId",
        "InvoiceLineNode.packSize",
        "InvoiceLineNode.numberOfPacks",
    }
)
"""Without these a record would say something wrong; without any other field it only says less."""


class Unlike(BadReply):
    """The server lacks what an operation cannot do without. ``missing`` are names like ``StockLineNode.packSize``."""

    def __init__(self, peer: str, operation: str, missing: Iterable[str]) -> None:
        names = ", ".join(sorted(missing))
        super().__init__(
            f"{peer[:1].upper()}{peer[1:]} offers no {names}, which “{operation}” needs. Its version is too old or too "
            "new for this console: update the older of the two, and compare them with “integrations compare”."
        )
        self.missing = frozenset(missing)


@dataclass(frozen=True, slots=True)
class Dialect:
    """What one server lacks of our interface: ``Type.field`` and ``Type.field(argument)``.

    ``shipment_type`` is the type of the argument by which one invoice is asked for with its type, "" for none; it
    decides which permission the server asks for (msupply.md, section 2).
    """

    missing: frozenset[str] = frozenset()
    shipment_type: str = ""

    @property
    def knows_received(self) -> bool:
        return "InvoiceNode.receivedDatetime" not in self.missing


@cache
def operations_text() -> str:
    return files(__package__).joinpath("operations.graphql").read_text(encoding="utf-8")


@cache
def interface_text() -> str:
    return files(__package__).joinpath("interface.graphql").read_text(encoding="utf-8")


@cache
def interface() -> GraphQLSchema:
    """The interface that our operations stand on, as :mod:`graphql` checks it."""
    return build_schema(interface_text())


@cache
def _definitions() -> tuple[dict[str, OperationDefinitionNode], dict[str, FragmentDefinitionNode]]:
    document = parse(operations_text(), no_location=True)
    operations, fragments = {}, {}
    for node in document.definitions:
        if isinstance(node, OperationDefinitionNode) and node.name is not None:
            operations[node.name.value] = node
        elif isinstance(node, FragmentDefinitionNode):
            fragments[node.name.value] = node
    return operations, fragments


def names() -> tuple[str, ...]:
    """All operations of the file, in its order."""
    return tuple(_definitions()[0])


def is_mutation(name: str) -> bool:
    return _definitions()[0][name].operation.value == "mutation"


def document(name: str) -> DocumentNode:
    """One operation with the fragments that it needs. KeyError for a name that the file does not hold."""
    operations, fragments = _definitions()
    found: dict[str, FragmentDefinitionNode] = {}
    _gather(operations[name], fragments, found)
    return DocumentNode(definitions=(operations[name], *found.values()))


def _gather(
    node: Any, fragments: Mapping[str, FragmentDefinitionNode], found: dict[str, FragmentDefinitionNode]
) -> None:
    spreads: list[str] = []

    class Spreads(Visitor):
        def enter_fragment_spread(self, spread: FragmentSpreadNode, *_: Any) -> None:
            spreads.append(spread.name.value)

    visit(node, Spreads())
    for name in spreads:
        if name not in found:
            found[name] = fragments[name]
            _gather(fragments[name], fragments, found)


def uses(name: str) -> frozenset[str]:
    """Every ``Type.field`` and ``Type.field(argument)`` that an operation asks for."""
    return _uses(document(name))


def _uses(node: DocumentNode) -> frozenset[str]:
    found: set[str] = set()
    info = TypeInfo(interface())

    class Used(Visitor):
        def enter_field(self, field: FieldNode, *_: Any) -> None:
            parent = info.get_parent_type()
            if parent is not None and not field.name.value.startswith("__"):
                found.add(f"{parent.name}.{field.name.value}")
                found.update(
                    f"{parent.name}.{field.name.value}({argument.name.value})" for argument in field.arguments or ()
                )

    visit(node, TypeInfoVisitor(info, Used()))
    return frozenset(found)


@cache
def types_in_use() -> tuple[str, ...]:
    """The object types, below the roots, whose fields :data:`SENT` operations select."""
    roots = {"Queries", "Mutations"}
    found = {used.split(".")[0] for name in SENT for used in uses(name)}
    return tuple(
        sorted(kind for kind in found - roots if is_composite_type(get_named_type(interface().type_map[kind])))
    )


@cache
def text(name: str, dialect: Dialect, peer: str = "the mSupply server") -> str:
    """What goes to a server of this dialect. Raises Unlike where too much would be missing."""
    fitted = fit(name, dialect, peer)
    return print_ast(fitted)


def fit(name: str, dialect: Dialect, peer: str) -> DocumentNode:
    """One operation without what the server lacks, and with the invoice's type where the server takes it."""
    whole = document(name)
    used = _uses(whole)
    lost = used & dialect.missing
    if vital := {
        use for use in lost if use in ESSENTIAL or (use.startswith(("Queries.", "Mutations.")) and "(" not in use)
    }:
        raise Unlike(peer, name, vital)
    fitted: DocumentNode = _without(whole, lost) if lost else whole
    if name == "ShipmentDetail" and dialect.shipment_type:
        fitted = _with_invoice_type(fitted, dialect.shipment_type)
    return fitted


def _is_call(use: str) -> bool:
    return use.startswith(("Queries.", "Mutations.")) and "(" not in use


def _without(node: DocumentNode, lost: frozenset[str]) -> DocumentNode:
    info = TypeInfo(interface())
    kept_variables: set[str] = set()

    class Prune(Visitor):
        def enter_field(self, field: FieldNode, *_: Any) -> Any:
            parent = info.get_parent_type()
            return REMOVE if parent is not None and f"{parent.name}.{field.name.value}" in lost else None

        def leave_field(self, field: FieldNode, *_: Any) -> Any:
            parent = info.get_parent_type()
            place = f"{parent.name}.{field.name.value}" if parent is not None else ""
            kept = tuple(item for item in field.arguments or () if f"{place}({item.name.value})" not in lost)
            if field.selection_set is not None and not field.selection_set.selections:
                return REMOVE
            if len(kept) != len(field.arguments or ()):
                return FieldNode(
                    alias=field.alias,
                    name=field.name,
                    arguments=kept,
                    directives=field.directives,
                    selection_set=field.selection_set,
                )
            return None

    class Variables(Visitor):
        def enter_variable_definition(self, *_: Any) -> Any:
            return False

        def enter_variable(self, variable: VariableNode, *_: Any) -> None:
            kept_variables.add(variable.name.value)

    class Unused(Visitor):
        def enter_variable_definition(self, definition: VariableDefinitionNode, *_: Any) -> Any:
            return None if definition.variable.name.value in kept_variables else REMOVE

    pruned = visit(node, TypeInfoVisitor(info, Prune()))
    visit(pruned, Variables())
    result: DocumentNode = visit(pruned, Unused())
    return result


def _with_invoice_type(node: DocumentNode, type_text: str) -> DocumentNode:
    """``invoice(…, type: $type)``, with the variable of the type that the server declares."""
    declared = parse(f"query Q($type: {type_text}) {{ x }}", no_location=True).definitions[0]
    assert isinstance(declared, OperationDefinitionNode)  # noqa: S101 - what was just written
    (variable,) = declared.variable_definitions or ()
    argument = ArgumentNode(name=variable.variable.name, value=parse_value("$type", no_location=True))

    class Add(Visitor):
        def leave_operation_definition(self, operation: OperationDefinitionNode, *_: Any) -> Any:
            field = operation.selection_set.selections[0]
            assert isinstance(field, FieldNode)  # noqa: S101 - ShipmentDetail has one field
            asked = FieldNode(
                alias=field.alias,
                name=field.name,
                arguments=(*(field.arguments or ()), argument),
                directives=field.directives,
                selection_set=field.selection_set,
            )
            return OperationDefinitionNode(
                operation=operation.operation,
                name=operation.name,
                variable_definitions=(*(operation.variable_definitions or ()), variable),
                directives=operation.directives,
                selection_set=SelectionSetNode(selections=(asked,)),
            )

    result: DocumentNode = visit(node, Add())
    return result
