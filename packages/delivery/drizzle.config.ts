import { defineConfig } from 'drizzle-kit';

/** `NODE_OPTIONS=--conditions=@tickmark/source npx drizzle-kit generate --name <what>` in this folder; it needs no database. */
export default defineConfig({
  dialect: 'postgresql',
  schema: './src/schema.ts',
  out: '../../drizzle',
});
