import os
import time

from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import text

db = SQLAlchemy()


def create_app() -> Flask:
    app = Flask(__name__)
    url = os.environ["DATABASE_URL"]
    app.config["SQLALCHEMY_DATABASE_URI"] = url.replace("postgresql://", "postgresql+psycopg://", 1)
    db.init_app(app)
    Migrate(app, db)

    @app.get("/health")
    def health() -> dict[str, int]:
        return {"bills": db.session.execute(text("SELECT count(*) FROM bill")).scalar_one()}

    @app.get("/billing/bills/<number>")
    def bills(number: str) -> dict[str, object]:
        db.session.execute(text("INSERT INTO bill (number) VALUES (:number)"), {"number": number})
        db.session.commit()
        return {"bills": db.session.execute(text("SELECT count(*) FROM bill")).scalar_one(), "uid": os.getuid()}

    @app.get("/billing/slow")
    def slow() -> dict[str, bool]:
        time.sleep(3)
        return {"slow": True}

    return app
