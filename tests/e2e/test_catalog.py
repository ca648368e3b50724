"""The catalogue: npm's AsyncAPI parser takes it, npm's ajv finds its every example valid, and the page needs nothing from elsewhere."""

from __future__ import annotations

import json
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from places import EXAMPLE, NODE_MODULES, REPOSITORY, SHOP
from teams import horizon

JUDGE = REPOSITORY / "tests" / "e2e" / "judge_catalogue.cjs"
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


def catalogue(folder: Path, output: Path) -> Path:
    """Writes the catalogue of a team's folder."""
    done = horizon("catalog", folder, "--output", output)
    assert done.returncode == 0, done.stderr
    return output


def judged(*documents: Path) -> list[dict[str, Any]]:
    """What the judge says of each document."""
    done = subprocess.run(["node", JUDGE, NODE_MODULES, *documents], text=True, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    found = list(json.loads(done.stdout).values())
    for one in found:
        # The document is of version 3.0, which more tools read than the newest.
        one["diagnostics"] = [told for told in one["diagnostics"] if told["code"] != "asyncapi-latest-version"]
    return found


class Page(HTMLParser):
    """Reads a page, and holds it to be well-formed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.attributes: set[str] = set()
        self.tags: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            self.attributes.add(name)
            if name == "id":
                self.ids.append(value or "")
            if name == "href":
                self.links.append(value or "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        self.text += data


def read(path: Path) -> Page:
    """A page that was read."""
    page = Page()
    page.feed(path.read_text())
    page.close()
    assert not page.open, f"never closed: {page.open}"
    return page


def test_the_documents_of_both_examples_are_taken_and_every_example_is_valid(tmp_path: Path) -> None:
    bank, shop = catalogue(EXAMPLE, tmp_path / "bank"), catalogue(SHOP, tmp_path / "shop")
    files = [folder / name for folder in (bank, shop) for name in ("asyncapi.json", "asyncapi.yaml")]
    for file, found in zip(files, judged(*files), strict=True):
        assert found["diagnostics"] == [], file
        assert found["wrong"] == [], file
        assert found["messages"] >= 3 and found["examples"] >= found["messages"], f"{file}: {found}"


def test_a_schema_of_another_draft_is_told_as_such(tmp_path: Path) -> None:
    team = tmp_path / "team"
    shutil.copytree(SHOP, team)
    schema = team / "schemas" / "public" / "shop.orders" / "placed.v2.json"
    told = json.loads(schema.read_text())
    told["dependentRequired"] = {"placedBy": ["orderId"]}
    schema.write_text(json.dumps(told))
    document = catalogue(team, tmp_path / "out") / "asyncapi.json"
    message = json.loads(document.read_text())["components"]["messages"]["shop.orders.v2.placed"]
    assert message["payload"]["schemaFormat"] == "application/schema+json;version=draft-2020-12"
    [found] = judged(document)
    assert found["diagnostics"] == [] and found["wrong"] == [] and found["examples"] >= 3, found


def test_binary_events_and_places_by_their_content_are_told_as_they_are(tmp_path: Path) -> None:
    team = tmp_path / "team"
    shutil.copytree(SHOP, team)
    contract = team / "contracts" / "shop.orders.v2.yaml"
    text = contract.read_text()
    change = {
        "outlets:\n": "subject: .orderId\noutlets:\n",
        'topic: "shop/orders/v2/{key}/{name}"': 'topic: "shop/orders/v2/{subject}/{data.orderId}/{name}", content_mode: binary',
        "exchange: shop.orders.v2": "exchange: shop.orders.v2, content_mode: binary, header_prefix: ce-",
    }
    for old, new in change.items():
        assert old in text, old
        text = text.replace(old, new)
    contract.write_text(text)
    out = catalogue(team, tmp_path / "out")
    [found] = judged(out / "asyncapi.json")
    assert found["diagnostics"] == [] and found["wrong"] == [] and found["examples"] >= 4, found
    told = json.loads((out / "asyncapi.json").read_text())
    channel = told["channels"]["shop.orders.v2-mqtt-main"]
    assert channel["address"] == "shop/orders/v2/{subject}/{data-orderId}/{name}"
    assert set(channel["parameters"]) == {"subject", "data-orderId", "name"}
    messages = told["components"]["messages"]
    for message, prefix in (("binary", ""), ("binary-ce", "ce-")):
        one = messages[f"shop.orders.v2.placed.{message}"]
        assert one["contentType"] == "application/json"
        assert f"{prefix}id" in one["headers"]["required"] and f"{prefix}data" not in one["headers"]["properties"]
        assert one["examples"][0]["headers"][f"{prefix}type"] == one["name"]
        assert "orderId" in one["examples"][0]["payload"]
    assert "shop.orders.v2.placed" not in messages
    assert "binary: the data in the payload" in read(out / "index.html").text


def test_an_example_that_is_wrong_is_seen(tmp_path: Path) -> None:
    document = catalogue(SHOP, tmp_path) / "asyncapi.json"
    told = json.loads(document.read_text())
    message = told["components"]["messages"]["shop.orders.v2.placed"]
    message["examples"][0]["payload"]["data"]["lines"] = []
    document.write_text(json.dumps(told))
    [found] = judged(document)
    assert found["wrong"] or found["diagnostics"], "the judges see nothing"


def test_a_consumer_finds_where_to_subscribe_and_what_it_needs(tmp_path: Path) -> None:
    told = json.loads((catalogue(SHOP, tmp_path) / "asyncapi.json").read_text())
    mqtt, amqp = told["channels"]["shop.orders.v2-mqtt-main"], told["channels"]["shop.orders.v2-amqp-rabbit"]
    assert mqtt["address"] == "shop/orders/v2/{key}/{name}"
    assert mqtt["parameters"]["name"]["enum"] == ["placed", "cancelled"]
    assert mqtt["x-permissions"] == {"subscribe": ["shop/orders/v2/+/placed", "shop/orders/v2/+/cancelled"]}
    assert amqp["bindings"]["amqp"]["exchange"]["name"] == "shop.orders.v2"
    may = amqp["x-permissions"]
    assert (may["configure"], may["write"], may["read"]) == ("^QUEUE$", "^QUEUE$", r"^(QUEUE|shop\.orders\.v2)$")
    assert may["bind"]["routingKeys"] == ["order.placed", "order.cancelled"]
    statuses = {name: one["status"] for name, one in told["info"]["x-contracts"].items()}
    assert statuses == {"shop.orders.v1": "deprecated", "shop.orders.v2": "active"}
    assert told["servers"]["main"] == {"host": "127.0.0.1:1883", "protocol": "mqtt", "protocolVersion": "5"}


def test_a_contract_is_told_to_be_read_over_http_where_it_is_known_how_consumers_reach_it(tmp_path: Path) -> None:
    team = tmp_path / "team"
    shutil.copytree(SHOP, team)
    contract = team / "contracts" / "shop.orders.v2.yaml"
    text = contract.read_text()
    # A broker of the name that the server would have, and messages that are all binary.
    contract.write_text(text.replace('topic: "shop/orders/v2/{key}/{name}"', 'topic: "shop/orders/v2/{key}/{name}", content_mode: binary')
                        .replace("exchange: shop.orders.v2", "exchange: shop.orders.v2, content_mode: binary, header_prefix: ce-"))
    draft = contract.with_name("shop.orders.v3.yaml")
    draft.write_text(text.replace("version: 2.", "version: 3.").replace("horizon: 1\n", "horizon: 1\nstatus: draft\n")
                     .replace("orders/v2", "orders/v3").replace("exchange: shop.orders.v2", "exchange: shop.orders.v3"))
    config = team / "horizon.yaml"
    config.write_text(config.read_text().replace("brokers:\n", "brokers:\n  http:\n    mqtt: { host: other.example }\n"))
    without = json.loads((catalogue(team, tmp_path / "without") / "asyncapi.json").read_text())
    assert "http" not in {one["protocol"].removesuffix("s") for one in without["servers"].values()}
    assert not [name for name in without["channels"] if name.endswith("-http")]

    config.write_text(config.read_text() + "\npublic_url: https://events.shop.example:8443/horizon/\n")
    out = catalogue(team, tmp_path / "out")
    [found] = judged(out / "asyncapi.json")
    assert found["diagnostics"] == [] and found["wrong"] == [], found
    told = json.loads((out / "asyncapi.json").read_text())
    server = told["servers"]["http-public"]
    assert (server["protocol"], server["host"], server["pathname"]) == ("https", "events.shop.example:8443", "/horizon")
    assert told["servers"]["http"]["protocol"] == "mqtt"
    channel = told["channels"]["shop.orders.v2-http"]
    assert channel["address"] == "/public/shop.orders.v2" and channel["servers"] == [{"$ref": "#/servers/http-public"}]
    assert channel["x-contract"]["status"] == "active"
    for name, message in channel["messages"].items():
        one = told["components"]["messages"][message["$ref"].rpartition("/")[2]]
        assert one["contentType"] == "application/cloudevents+json" and one["title"], name
    operation = told["operations"]["publish-shop.orders.v2-http"]
    assert operation["bindings"]["http"]["method"] == "GET"
    assert "shop.orders.v3-mqtt-main" in told["channels"] and "shop.orders.v3-http" not in told["channels"], "a draft is not there to be read"
    page = read(out / "index.html").text
    assert "https://events.shop.example:8443/horizon/public/shop.orders.v2" in page and "public/shop.orders.v3" not in page

    for wrong in ("events.shop.example", "ftp://events.shop.example", "https://me:secret@events.shop.example", "https://a.example?b",
                  "https://a.example:99999"):
        config.write_text(config.read_text().replace("https://events.shop.example:8443/horizon/", wrong))
        refused = horizon("catalog", team)
        assert refused.returncode == 2 and "public_url" in refused.stderr and "mend" in refused.stderr, refused
        config.write_text(config.read_text().replace(wrong, "https://events.shop.example:8443/horizon/"))


@pytest.mark.parametrize("folder", [EXAMPLE, SHOP], ids=["bank", "shop"])
def test_nothing_private_and_no_secret_is_in_it(tmp_path: Path, folder: Path) -> None:
    team = tmp_path / "team"
    shutil.copytree(folder, team)
    config = team / "horizon.yaml"
    config.write_text(config.read_text().replace(
        "port: 1883", "port: 1883, username: the-user, password: { env: THE_PASSWORD }"))
    out = catalogue(team, tmp_path / "out")
    private = [path.stem for path in (team / "schemas" / "private").rglob("*.json")]
    for file in out.iterdir():
        text = file.read_text()
        for word in [*private, "the-user", "THE_PASSWORD", "birthNumber", "counterparty", "purchasePrice", "ada@mail.example"]:
            assert word not in text, f"{word} is in {file.name}"


def test_the_page_stands_alone_and_is_whole(tmp_path: Path) -> None:
    page = read(catalogue(SHOP, tmp_path) / "index.html")
    assert not page.tags & {"script", "link", "img", "iframe", "object", "form"}
    assert all(link.startswith(("#", "mailto:")) for link in page.links), page.links
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids)), "each id once"
    for word in ("shop.orders.v1", "deprecated", "lines[].sku", "shop/orders/v2/+/placed", "checkout"):
        assert word in page.text, word


def test_what_a_contract_says_cannot_break_the_page(tmp_path: Path) -> None:
    team = tmp_path / "team"
    shutil.copytree(SHOP, team)
    hostile = "</title><script>alert(1)</script>\\\" onload=x & ' <!--"
    contract = team / "contracts" / "shop.orders.v2.yaml"
    text = contract.read_text()
    contract.write_text(text.replace("description: Orders placed and", f"description: \"{hostile}\" # Orders placed and"))
    (team / "contracts" / "_defaults.yaml").write_text(
        "horizon: 1\nteam: { name: \"<b>x</b>\", contact: \"javascript:alert(1)\" }\nstart: beginning\n")
    schema = team / "schemas" / "public" / "shop.orders" / "placed.v2.json"
    told = json.loads(schema.read_text())
    told["title"] = told["properties"]["orderId"]["description"] = "<script>\"'&"
    schema.write_text(json.dumps(told))
    done = horizon("catalog", team, "--output", tmp_path / "out", "--title", "<script>title</script>")
    assert done.returncode == 0, done.stderr
    page = read(tmp_path / "out" / "index.html")
    assert "script" not in page.tags and "b" not in page.tags and "onload" not in page.attributes
    assert "<script>alert(1)</script>" in page.text and "<script>title</script>" in page.text
    assert all(link.startswith("#") for link in page.links)
