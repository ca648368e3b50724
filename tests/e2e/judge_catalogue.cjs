// Judges AsyncAPI documents with npm's parser, and every example in them with npm's ajv.
//
//     node judge_catalogue.cjs NODE-MODULES DOCUMENT...
//
// Prints one JSON object: for each document what the parser says, and how many examples were valid or why they were not.

const { createRequire } = require("node:module");
const fs = require("node:fs");
const path = require("node:path");

const load = createRequire(path.join(path.resolve(process.argv[2]), "any.js"));
const { Parser } = load("@asyncapi/parser");
const addFormats = load("ajv-formats");
const DRAFTS = {
  "application/schema+json;version=draft-07": load("ajv").default,
  "application/schema+json;version=draft-2019-09": load("ajv/dist/2019").default,
  "application/schema+json;version=draft-2020-12": load("ajv/dist/2020").default,
};

/** A parser that takes JSON Schemas of later drafts as they are, which is what its plug-ins are for. */
function parser() {
  const made = new Parser();
  made.registerSchemaParser({
    getMimeTypes: () => Object.keys(DRAFTS).filter((type) => !type.endsWith("draft-07")),
    validate: (input) => {
      const ajv = new DRAFTS[input.schemaFormat]({ strict: false });
      addFormats(ajv);
      return ajv.validateSchema(input.data) ? [] : ajv.errors.map((error) => ({ message: error.message, path: [] }));
    },
    parse: (input) => input.data,
  });
  return made;
}

/** The schema without the parser's own marks, so that ajv sees what was written. */
function plain(value) {
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).filter(([key]) => !key.startsWith("x-parser-")).map(([key, inner]) => [key, plain(inner)]));
}

async function judge(file) {
  const { document, diagnostics } = await parser().parse(fs.readFileSync(file, "utf8"));
  const told = diagnostics.map((one) => ({ severity: one.severity, code: one.code, path: one.path.join("/"), message: one.message }));
  const judged = { diagnostics: told, messages: 0, examples: 0, wrong: [] };
  for (const message of document ? document.allMessages().all() : []) {
    judged.messages += 1;
    const payload = message.payload().json();
    // A multi-format schema object is given as it is written.
    const Ajv = DRAFTS[payload.schemaFormat] ?? DRAFTS["application/schema+json;version=draft-07"];
    const ajv = new Ajv({ strict: false, allErrors: true });
    addFormats(ajv);
    const validate = ajv.compile(plain(payload.schemaFormat ? payload.schema : payload));
    for (const example of message.examples().all()) {
      judged.examples += 1;
      if (message.hasHeaders()) {
        const judge = new Ajv({ strict: false });
        addFormats(judge);
        const beside = judge.compile(plain(message.headers().json()));
        if (!beside(example.headers())) judged.wrong.push({ message: message.id(), errors: `headers: ${JSON.stringify(beside.errors)}` });
      }
      if (!validate(example.payload())) judged.wrong.push({ message: message.id(), errors: ajv.errorsText(validate.errors) });
      // A judge that sees nothing would accept this too.
      if (validate(message.hasHeaders() ? [] : { ...example.payload(), data: undefined, type: "another" })) judged.wrong.push({ message: message.id(), errors: "anything is taken" });
    }
  }
  return judged;
}

(async () => {
  const judged = {};
  for (const file of process.argv.slice(3)) judged[file] = await judge(file);
  process.stdout.write(JSON.stringify(judged));
})();
