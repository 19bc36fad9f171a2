const base = import.meta.env.VITE_API_URL;
const socket = import.meta.env.VITE_WS_URL;
export const title = import.meta.env.VITE_APP_NAME;
export const endpoints = { base, socket };
