import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

/** Where `npm run dev` sends `/api` and `/healthz`: the address that `flowctl ui --no-open` prints. */
const api = process.env["HEADWATER_API"] ?? "http://127.0.0.1:8265";

export default defineConfig({
  plugins: [react()],
  base: "/",
  build: {
    outDir: "../headwater_dashboard/page",
    emptyOutDir: true,
    manifest: true,
    sourcemap: false,
    target: "es2022",
    // What fits in a data: URL would need an exception in the Content-Security-Policy.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1600,
  },
  server: { proxy: { "/api": api, "/healthz": api } },
  test: { include: ["src/**/*.test.ts"], environment: "node" },
});
