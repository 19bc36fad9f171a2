// Run by the emitted workflow, against the database that it has migrated.
import assert from "node:assert/strict";
import test from "node:test";
import pg from "pg";

test("the columns are those of the migrations", async () => {
  const client = new pg.Client({ connectionString: process.env.DATABASE_URL });
  await client.connect();
  const { rows } = await client.query("SELECT name FROM columns ORDER BY name");
  await client.end();
  assert.deepEqual(rows.map((row) => row.name), ["doing", "done"]);
});
