#!/usr/bin/env node
// The tickmark command. Runs the build when there is one, else the sources through tsx: so it works right after the install.
import { existsSync } from 'node:fs';
import { register } from 'node:module';

const build = new URL('../dist/main.js', import.meta.url);

/**
 * Resolves packages by the condition `@tickmark/source`, as `node --conditions` would: that flag can only be given when a process starts,
 * and a child process would have to be told of every signal and would outlive a killed parent.
 */
const sourceCondition = `export function resolve(specifier, context, next) {
  return next(specifier, { ...context, conditions: ['@tickmark/source', ...context.conditions] });
}`;

if (existsSync(build)) {
  await import(build.href);
} else {
  const { register: registerTsx } = await import('tsx/esm/api');
  registerTsx();
  register(`data:text/javascript,${encodeURIComponent(sourceCondition)}`);
  await import(new URL('../src/main.ts', import.meta.url).href);
}
