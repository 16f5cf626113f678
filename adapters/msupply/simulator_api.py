"""The simulated mSupply's GraphQL interface: schema by version, queries, paging and filters, run by graphql-core."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from graphql import (
    REMOVE,
    FieldDefinitionNode,
    GraphQLError,
    GraphQLObjectType,
    GraphQLSchema,
    InputValueDefinitionNode,
    ObjectTypeDefinitionNode,
    Visitor,
    build_ast_schema,
    execute,
    parse,
    validate,
    visit,
)

from adapters.msupply import fields
from adapters.msupply.operations import interface_text
from adapters.msupply.simulator_access import INVOICE_QUERIES, Account
from adapters.msupply.simulator_catalogue import Node
from adapters.msupply.simulator_rules import Rules, bad_input, connector
from adapters.msupply.simulator_shapes import moment
from adapters.msupply.simulator_world import World

VERSIONS = ("2.8", "2.10", "2.12", "2.17", "2.18", "2.20")
_LACKS: Mapping[str, tuple[str, ...]] = {
    "2.17": ("Queries.activityLogs(storeId)",),
    "2.12": ("Queries.invoices(type)", "Queries.invoice(type)"),
    "2.10": ("Queries.shippingMethods",),
    "2.8": (
        "StockLineNode.program",
        "Queries.itemLedger(filter)",
        "ItemLedgerNode.movementInUnits",
        "InvoiceNode.receivedDatetime",
        "InvoiceLineNode.shippedPackSize",
        "InvoiceLineNode.shippedNumberOfPacks",
        "InvoiceLineNode.volumePerPack",
        "NameNode.hshCode",
    ),
}
"""What a version lacks, each besides all that the newer ones lack (msupply.md, section 9)."""

OPEN_CALLS = frozenset({"authToken", "refreshToken", "initialisationStatus", "isCentralServer", "apiVersion"})
PYTHON_NAMES = {
    "storeId": "store_id",
    "masterListId": "master_list_id",
    "stocktakeId": "stocktake_id",
    "daysTillExpired": "days_till_expired",
    "timezoneOffset": "timezone_offset",
    "filter": "wanted",
    "type": "types",
    "id": "found",
    "input": "change",
}
"""How arguments are called where they are resolved."""
TYPE_PERMISSION = {
    "OUTBOUND_SHIPMENT": "OUTBOUND_SHIPMENT_QUERY",
    "INBOUND_SHIPMENT": "INBOUND_SHIPMENT_QUERY",
    "INBOUND_SHIPMENT_EXTERNAL": "INBOUND_SHIPMENT_EXTERNAL_QUERY",
    "PRESCRIPTION": "PRESCRIPTION_QUERY",
    "SUPPLIER_RETURN": "SUPPLIER_RETURN_QUERY",
    "CUSTOMER_RETURN": "CUSTOMER_RETURN_QUERY",
}


def lacking(version: str) -> frozenset[str]:
    """Everything of our interface that a server of this version does not have."""
    at = VERSIONS.index(version)
    return frozenset(name for later, names in _LACKS.items() if VERSIONS.index(later) >= at for name in names)


def make_schema(removed: Iterable[str]) -> GraphQLSchema:
    """The interface without some ``Type.field`` and ``Type.field(argument)``."""
    gone = frozenset(removed)

    class Strip(Visitor):
        def enter_object_type_definition(self, node: ObjectTypeDefinitionNode, *_: Any) -> Any:
            kept = []
            for field in node.fields or ():
                place = f"{node.name.value}.{field.name.value}"
                if place in gone:
                    continue
                arguments = tuple(a for a in field.arguments or () if f"{place}({a.name.value})" not in gone)
                kept.append(_field(field, arguments))
            if not kept:
                return REMOVE
            return ObjectTypeDefinitionNode(name=node.name, interfaces=node.interfaces, fields=tuple(kept))

    return build_ast_schema(visit(parse(interface_text(), no_location=True), Strip()))


def _field(field: FieldDefinitionNode, arguments: tuple[InputValueDefinitionNode, ...]) -> FieldDefinitionNode:
    return FieldDefinitionNode(name=field.name, arguments=arguments, type=field.type)


class GraphApi:
    """Answers queries for one world. ``session`` of a call says who asks and takes new cookies."""

    def __init__(self, world: World, account: Account, version: str = "2.20", removed: Iterable[str] = ()) -> None:
        self.world = world
        self.account = account
        self.rules = Rules(world, account)
        self.version = version
        self.status = "INITIALISED"
        self.duplicates = False
        """Each list's first record comes twice."""
        self.schema = GraphQLSchema()
        self.set_interface(version, removed)

    def set_interface(self, version: str, removed: Iterable[str] = ()) -> None:
        """Another version of the server, or one that lost some fields."""
        self.version = version
        self.schema = make_schema(lacking(version) | frozenset(removed))
        self._attach()
        for kind in self.schema.type_map.values():
            for field in kind.fields.values() if isinstance(kind, GraphQLObjectType) else ():
                for name, argument in field.args.items():
                    argument.out_name = PYTHON_NAMES.get(name, name)
        self._parsed = lru_cache(maxsize=200)(self._parse)

    def answer(self, query: str, variables: Mapping[str, Any], session: Any) -> dict[str, Any]:
        """The JSON answer to one request."""
        try:
            document, faults = self._parsed(query)
        except GraphQLError as err:
            return {"data": None, "errors": [{"message": err.message}]}
        if faults:
            return {"data": None, "errors": [{"message": fault} for fault in faults]}
        result = execute(self.schema, document, context_value=session, variable_values=dict(variables))
        assert not hasattr(result, "__await__")  # noqa: S101 - no resolver waits
        found: Any = result
        answer: dict[str, Any] = {"data": found.data}
        if found.errors:
            answer["errors"] = [
                {"message": err.message, "extensions": dict(err.extensions or {"details": err.message})}
                for err in found.errors
            ]
        return answer

    def _parse(self, query: str) -> tuple[Any, tuple[str, ...]]:
        document = parse(query, no_location=True)
        return document, tuple(err.message for err in validate(self.schema, document))

    # -- resolvers

    def _attach(self) -> None:
        queries: dict[str, Callable[..., Any]] = {
            "apiVersion": lambda *_: "1.0.0",
            "initialisationStatus": lambda *_: {"status": self.status, "siteName": "Niger State"},
            "isCentralServer": lambda *_: False,
            "me": self._me,
            "latestSyncStatus": self._sync,
            "numberOfRecordsInPushQueue": lambda *_: 0,
            "items": self._items,
            "masterLists": self._master_lists,
            "masterListLines": self._master_list_lines,
            "programs": self._programs,
            "names": self._names,
            "shippingMethods": self._shipping_methods,
            "stockLines": self._stock_lines,
            "stockCounts": self._stock_counts,
            "itemLedger": self._ledger,
            "stocktakes": lambda _r, _i, store_id, **_: self._none(store_id, "STOCKTAKE_QUERY", "StocktakeConnector"),
            "stocktakeLines": lambda _r, _i, store_id, **_: self._none(
                store_id, "STOCKTAKE_QUERY", "StocktakeLineConnector"
            ),
            "requisitions": self._requisitions,
            "requisition": self._requisition,
            "invoices": self._invoices,
            "invoice": self._invoice,
            "activityLogs": self._activity,
        }
        root, changes = self.schema.query_type, self.schema.mutation_type
        for name, resolve in queries.items():
            if root is not None and name in root.fields:
                root.fields[name].resolve = _signed(resolve) if name not in OPEN_CALLS else resolve
        for name, call in ("authToken", "sign_in"), ("refreshToken", "renew"), ("logout", "sign_out"):
            if root is not None:
                root.fields[name].resolve = _of_session(call)
        for name, resolve in self.rules.mutations().items():
            if changes is not None and name in changes.fields:
                changes.fields[name].resolve = _signed(resolve)
        for place, resolve in self._nested().items():
            kind, name = place.split(".")
            known: Any = self.schema.type_map.get(kind)
            if known is not None and name in known.fields:
                known.fields[name].resolve = resolve

    def _nested(self) -> dict[str, Callable[..., Any]]:
        world = self.world
        return {
            "UserNode.permissions": self._my_permissions,
            "ItemNode.stats": lambda item, _i, store_id, **_: self._stats(item, store_id),
            "ItemNode.availableStockOnHand": lambda item, _i, store_id: self._stats(item, store_id)[
                "availableStockOnHand"
            ],
            "StockLineNode.donor": lambda *_, **__: None,
            "RequisitionNode.lines": lambda node, _i: connector(list(node["_lines"].values())),
            "RequisitionNode.shipments": lambda node, _i: connector(
                [found for found in world.invoices.values() if found["_requisition"] == node["id"]]
                if node["type"] == "RESPONSE"
                else []
            ),
            "RequisitionNode.linkedRequisition": lambda node, _i: world.requisitions.get(node["_linked"]),
            "RequisitionLineNode.remainingQuantityToSupply": lambda line, _i: max(
                0.0, line["supplyQuantity"] - self._issued(line)
            ),
            "RequisitionLineNode.alreadyIssued": lambda line, _i: self._issued(line),
            "InvoiceNode.lines": lambda node, _i: connector(list(node["_lines"].values())),
            "InvoiceNode.otherParty": lambda node, _i, **_: world.names[node["otherPartyId"]],
            "InvoiceNode.requisition": lambda node, _i: world.requisitions.get(node["_requisition"]),
            "InvoiceNode.linkedShipment": lambda node, _i: world.invoices.get(node["_linked"]),
            "InvoiceNode.pricing": lambda node, _i: {
                "totalAfterTax": sum(
                    line["numberOfPacks"] * line["sellPricePerPack"] for line in node["_lines"].values()
                )
            },
        }

    def _issued(self, line: Node) -> float:
        return sum(
            float(found["numberOfPacks"] * found["packSize"])
            for invoice in self.world.invoices.values()
            if invoice["_requisition"] == line["_requisition"]
            for found in invoice["_lines"].values()
            if found["itemId"] == line["itemId"]
        )

    def _me(self, _root: Any, _info: Any) -> Node:
        stores = [store for store in self.world.stores.values() if store["id"] in self.account.permissions]
        return {
            "__typename": "UserNode",
            "userId": self.account.user_id,
            "username": self.account.username,
            "email": None,
            "language": "English",
            "defaultStore": stores[0] if stores else None,
            "stores": connector(stores),
        }

    def _my_permissions(self, _user: Any, _info: Any, store_id: str = "") -> Node:
        held = self.account.permissions.get(store_id)
        return connector([] if held is None else [{"storeId": store_id, "permissions": sorted(held)}])

    def _sync(self, *_: Any) -> Node:
        now = moment(self.world.now_ms)
        synced = {"started": now, "finished": now}
        return {"isSyncing": False, "warningThreshold": 1, "errorThreshold": 3, "lastSuccessfulSync": synced}

    def _items(self, _root: Any, _info: Any, store_id: str, page: Node | None = None, wanted: Node | None = None,
               **_: Any) -> Node:  # fmt: skip
        self.account.require(store_id)
        asked, catalogue = wanted or {}, self.world.catalogue
        if asked.get("hasStockOnHand"):
            held = {line["itemId"] for line in self.world.stock[store_id].values() if line["totalNumberOfPacks"] > 0}
            nodes = [catalogue.item(i) for i in range(catalogue.listed) if catalogue.item(i)["id"] in held]
            return self._page(nodes, page, "ItemConnector")
        if (exact := (asked.get("id") or {}).get("equalTo")) is not None:
            index = catalogue.index_of(exact)
            return self._page([] if index is None else [catalogue.item(index)], page, "ItemConnector")
        first, offset = _window(page, catalogue.count)
        nodes = [catalogue.item(index) for index in range(offset, min(offset + first, catalogue.count))]
        return self._doubled({"__typename": "ItemConnector", "totalCount": catalogue.count, "nodes": nodes})

    def _stats(self, item: Node, store_id: str) -> Node:
        lines = [line for line in self.world.stock[store_id].values() if line["itemId"] == item["id"]]
        held = sum(line["totalNumberOfPacks"] * line["packSize"] for line in lines)
        free = sum(line["availableNumberOfPacks"] * line["packSize"] for line in lines)
        monthly = float(self.world.catalogue.rng("amc", store_id, item["id"]).randint(0, 4000))
        return {
            "averageMonthlyConsumption": monthly,
            "totalConsumption": monthly * 3,
            "stockOnHand": held,
            "availableStockOnHand": free,
            "monthsOfStockOnHand": held / monthly if monthly else None,
            "availableMonthsOfStockOnHand": free / monthly if monthly else None,
        }

    def _master_lists(self, _root: Any, _info: Any, store_id: str, page: Node | None = None) -> Node:
        self.account.require(store_id)
        lists = [
            {**p, "code": p["elmisCode"], "description": p["name"], "linesCount": 0}
            for p in self.world.catalogue.programs
        ]
        return self._page(lists, page, "MasterListConnector")

    def _master_list_lines(
        self, _root: Any, _info: Any, store_id: str, master_list_id: str, page: Node | None = None
    ) -> Node:
        self.account.require(store_id)
        catalogue = self.world.catalogue
        code = next((p["elmisCode"] for p in catalogue.programs if p["id"] == master_list_id), "?")
        items = [item for i in range(catalogue.listed) if (item := catalogue.item(i))["_program"] == code]
        lines = [{"id": f"{master_list_id}/{item['id']}", "itemId": item["id"], "item": item} for item in items]
        return self._page(lines, page, "MasterListLineConnector")

    def _programs(self, _root: Any, _info: Any, store_id: str, page: Node | None = None) -> Node:
        self.account.require(store_id)
        return self._page(self.world.catalogue.programs, page, "ProgramConnector")

    def _names(self, _root: Any, _info: Any, store_id: str, page: Node | None = None, **_: Any) -> Node:
        self.account.require(store_id)
        own = self.world.stores[store_id]["nameId"]
        names = [name for name in self.world.names.values() if name["id"] != own]
        return self._page(sorted(names, key=lambda name: str(name["code"])), page, "NameConnector")

    def _shipping_methods(self, _root: Any, _info: Any, store_id: str) -> Node:
        self.account.require(store_id)
        road = {"id": "road", "method": "Road", "deletedDatetime": None}
        return connector([road], "ShippingMethodConnector")

    def _stock_lines(self, _root: Any, _info: Any, store_id: str, page: Node | None = None, wanted: Node | None = None,
                     **_: Any) -> Node:  # fmt: skip
        self.account.require(store_id, "STOCK_LINE_QUERY")
        lines = list(self.world.stock[store_id].values())
        if (wanted or {}).get("hasPacksInStore"):
            lines = [line for line in lines if line["totalNumberOfPacks"] != 0]
        return self._page(sorted(lines, key=lambda line: (line["expiryDate"], line["id"])), page, "StockLineConnector")

    def _stock_counts(self, _root: Any, _info: Any, store_id: str, days_till_expired: int = 30, **_: Any) -> Node:
        self.account.require(store_id, "STOCK_LINE_QUERY")
        today = moment(self.world.now_ms)[:10]
        soon = moment(self.world.now_ms + days_till_expired * 86_400_000)[:10]
        dates = [line["expiryDate"] for line in self.world.stock[store_id].values() if line["totalNumberOfPacks"] > 0]
        return {"expired": sum(d < today for d in dates), "expiringSoon": sum(today <= d <= soon for d in dates)}

    def _ledger(
        self, _root: Any, _info: Any, store_id: str, page: Node | None = None, wanted: Node | None = None
    ) -> Node:
        self.account.require(store_id, "STOCK_LINE_QUERY")
        rows = [row for row in self.world.ledger if row["_store"] == store_id and _matches(row, wanted or {})]
        return self._page(rows, page, "ItemLedgerConnector")

    def _none(self, store_id: str, permission: str, kind: str) -> Node:
        self.account.require(store_id, permission)
        return connector([], kind)

    def _requisitions(self, _root: Any, _info: Any, store_id: str, page: Node | None = None, wanted: Node | None = None,
                      **_: Any) -> Node:  # fmt: skip
        self.account.require(store_id, "REQUISITION_QUERY")
        found = [r for r in self.world.requisitions.values() if r["_store"] == store_id and _matches(r, wanted or {})]
        return self._page(sorted(found, key=_by_creation), page, "RequisitionConnector")

    def _requisition(self, _root: Any, _info: Any, store_id: str, found: str) -> Node:
        self.account.require(store_id, "REQUISITION_QUERY")
        node = self.world.requisitions.get(found)
        if node is None or node["_store"] != store_id:
            return {"__typename": "RecordNotFound", "description": "Record not found"}
        return node

    def _invoices(
        self,
        _root: Any,
        _info: Any,
        store_id: str,
        page: Node | None = None,
        wanted: Node | None = None,
        types: list[str] | None = None,
        **_: Any,
    ) -> Node:
        self._may_query_invoices(store_id, types)
        found = [i for i in self.world.invoices.values() if i["_store"] == store_id and _matches(i, wanted or {})]
        if types is not None:
            found = [invoice for invoice in found if invoice["type"] in types]
        return self._page(sorted(found, key=_by_creation), page, "InvoiceConnector")

    def _invoice(self, _root: Any, _info: Any, store_id: str, found: str, types: str | None = None) -> Node:
        self._may_query_invoices(store_id, None if types is None else [types])
        node = self.world.invoices.get(found)
        if node is None or node["_store"] != store_id or (types is not None and node["type"] != types):
            error = {"__typename": "RecordNotFound", "description": "Record not found"}
            return {"__typename": "NodeError", "error": error}
        return node

    def _may_query_invoices(self, store_id: str, types: list[str] | None) -> None:
        """From 2.17 on: without the type all six permissions, with it those of the types. Before: any of them."""
        if "Queries.invoices(type)" in lacking(self.version):
            self.account.require_any(store_id, INVOICE_QUERIES)
        elif types is None:
            self.account.require(store_id, *INVOICE_QUERIES)
        else:
            self.account.require(store_id, *(TYPE_PERMISSION[kind] for kind in types))

    def _activity(self, _root: Any, _info: Any, page: Node | None = None, wanted: Node | None = None, **_: Any) -> Node:
        record = ((wanted or {}).get("recordId") or {}).get("equalTo")
        user = {"username": self.account.username}
        logs = [
            {"id": f"log-{n}", "type": entry["type"], "datetime": moment(entry["at"]), "to": entry["to"], "user": user}
            for n, entry in enumerate(self.world.history)
            if record is None or entry["record"] == record
        ]
        return self._page(logs, page, "ActivityLogConnector")

    # -- paging

    def _page(self, nodes: list[Node], page: Node | None, kind: str) -> Node:
        first, offset = _window(page, len(nodes))
        return self._doubled({"__typename": kind, "totalCount": len(nodes), "nodes": nodes[offset : offset + first]})

    def _doubled(self, found: Node) -> Node:
        if self.duplicates and found["nodes"]:
            found["nodes"] = [*found["nodes"], found["nodes"][0]]
            found["totalCount"] += 1
        return found


def _price(invoice: Node) -> float:
    return sum(float(line["numberOfPacks"] * line["sellPricePerPack"]) for line in invoice["_lines"].values())


def _by_creation(node: Node) -> tuple[str, str]:
    return node["createdDatetime"], node["id"]


def _window(page: Node | None, count: int) -> tuple[int, int]:
    """``first`` and ``offset``; without ``first`` everything comes (section 4)."""
    first = (page or {}).get("first")
    if first is not None and first < 1:
        raise bad_input("First should be greater than 0")
    return count if first is None else first, max((page or {}).get("offset") or 0, 0)


def _matches(node: Node, wanted: Node) -> bool:
    return all(_fits(node.get(name), test) for name, test in wanted.items() if test is not None)


def _fits(value: Any, test: Any) -> bool:
    if not isinstance(test, dict):
        return bool(value) is bool(test)
    for name, other in test.items():
        if other is None:
            continue
        if name in ("afterOrEqualTo", "beforeOrEqualTo"):
            at_ms = fields.time_ms({"at": other}, "at")
            if at_ms is None:
                raise bad_input(f"“{other}” is no date and time")
            limit = moment(at_ms)
            if value is None or (value < limit if name == "afterOrEqualTo" else value > limit):
                return False
        elif name == "equalTo":
            if value != other:
                return False
        elif name == "equalAny":
            if value not in other:
                return False
        elif name == "notEqualTo":
            if value == other:
                return False
        elif name == "like" and str(other).lower() not in str(value or "").lower():
            return False
    return True


def _signed(resolve: Callable[..., Any]) -> Callable[..., Any]:
    """Only for who has signed in."""

    def guarded(root: Any, info: Any, **arguments: Any) -> Any:
        info.context.require_signed_in()
        return resolve(root, info, **arguments)

    return guarded


def _of_session(name: str) -> Callable[..., Any]:
    def call(_root: Any, info: Any, **arguments: Any) -> Any:
        return getattr(info.context, name)(**arguments)

    return call
