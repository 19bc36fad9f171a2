// Express and pg; /board/columns reads what the plain SQL migrations made.
import { existsSync } from "node:fs";
import express from "express";
import pg from "pg";

const app = express();
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL });

app.get("/health", async (_, answer) => {
  await pool.query("SELECT 1");
  answer.send("ok");
});
app.get("/board/columns", async (_, answer) => {
  const { rows } = await pool.query("SELECT name FROM columns ORDER BY name");
  answer.json(rows.map((row) => row.name));
});
app.get("/board/container", (_, answer) => {
  answer.json({ uid: process.getuid(), development: existsSync("node_modules/is-number"), argv: process.execArgv });
});

const server = app.listen(process.env.PORT, process.env.HOST);
process.on("SIGTERM", () => server.close(() => pool.end()));
