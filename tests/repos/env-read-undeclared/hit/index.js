const url = process.env.DATABASE_URL;
const level = process.env.LOG_LEVEL;
