export default { basePath: "/site", output: "standalone" };
