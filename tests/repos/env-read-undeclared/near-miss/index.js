const url = process.env.DATABASE_URL;
// process.env.OLD_SECRET_NAME went away
const size = process.env.CACHE_SIZE || '10';
const reports = process.env.SENTRY_DSN || '';
