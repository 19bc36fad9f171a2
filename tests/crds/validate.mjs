// Reads [[module, kind, document], …] as JSON from standard input; prints {index: message} of those that break a rule of
// their type: a required field, an enumeration, a pattern. Unknown fields are the type checker's to find.
import { readFileSync } from "node:fs";

const wrong = {};
for (const [index, [module, kind, document]] of JSON.parse(readFileSync(0, "utf8")).entries()) {
  const models = await import(module);
  try {
    new models[kind](document).validate();
  } catch (error) {
    wrong[index] = error.message;
  }
}
console.log(JSON.stringify(wrong));
