import { existsSync } from 'node:fs';
import { runCli } from './run-cli.ts';

// As the root scripts do: a .env of the current folder, where variables that are already set win.
if (existsSync('.env')) process.loadEnvFile('.env');

// The reader of a pipe (`| head`) may leave before everything is written: that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

process.exitCode = await runCli(process.argv.slice(2), {
  env: process.env,
  writeOut: (text) => process.stdout.write(text),
  writeError: (text) => process.stderr.write(text),
});
