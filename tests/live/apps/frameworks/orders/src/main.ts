import "reflect-metadata";
import { Controller, Get, Module, OnApplicationShutdown, Param } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { Pool } from "pg";

const pool = new Pool({ connectionString: process.env.DATABASE_URL });

@Controller()
class Orders implements OnApplicationShutdown {
  @Get("health")
  async health() {
    await pool.query("SELECT 1 FROM orders LIMIT 1");
    return { ok: true };
  }

  @Get("orders/add/:title")
  async add(@Param("title") title: string) {
    await pool.query("INSERT INTO orders (title) VALUES ($1)", [title]);
    const { rows } = await pool.query("SELECT title FROM orders ORDER BY id");
    return { orders: rows.map((row) => row.title), uid: process.getuid?.() };
  }

  @Get("orders/slow")
  async slow() {
    await new Promise((done) => setTimeout(done, 3000));
    return { slow: true };
  }

  async onApplicationShutdown() {
    await pool.end();
  }
}

@Module({ controllers: [Orders] })
class App {}

async function main() {
  const app = await NestFactory.create(App);
  app.enableShutdownHooks();
  await app.listen(process.env.PORT!, process.env.HOST!);
}

main();
