const env = { ...import.meta.env, ...window.env };
document.querySelector("#note").textContent = env.VITE_NOTE;
fetch(`${env.VITE_API_URL}/notes`);
