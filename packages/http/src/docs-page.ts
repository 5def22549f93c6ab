import { createHash } from 'node:crypto';

/** The parts of an OpenAPI document that the page shows. */
export interface OpenApiDocument {
  info: { title: string; version: string; description?: string };
  paths?: Record<string, Record<string, OpenApiOperation>>;
}

interface OpenApiOperation {
  summary?: string;
  description?: string;
  security?: Record<string, string[]>[];
  parameters?: { name: string; in: string; required?: boolean; description?: string; schema?: unknown }[];
  requestBody?: { content?: Record<string, { schema?: unknown }> };
  responses?: Record<string, { description?: string; content?: Record<string, { schema?: unknown }> }>;
}

const STYLE = `
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1d2733; }
h2 { font: 600 1.05rem ui-monospace, monospace; margin: 2rem 0 0.25rem; border-top: 1px solid #d5dce4; padding-top: 1rem; }
h2 b { display: inline-block; min-width: 4.5rem; color: #075e54; }
pre { background: #f3f6f8; padding: 0.75rem; overflow-x: auto; font-size: 0.85rem; }
td { padding: 0.1rem 1rem 0.1rem 0; vertical-align: top; }
p { margin: 0.25rem 0; }
@media (prefers-color-scheme: dark) { body { background: #10161d; color: #d9e2ec; } pre { background: #1a232d; } h2 b { color: #5fd0b5; } }
`;

/** Nothing but this page's own style may load: no script, no other origin, no frame around it. */
export function contentSecurityPolicy(): string {
  const style = createHash('sha256').update(STYLE).digest('base64');
  return `default-src 'none'; style-src 'sha256-${style}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'`;
}

/** The operations of an OpenAPI document as one HTML page that a browser shows without scripts. */
export function renderDocsPage({ info, paths = {} }: OpenApiDocument): string {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => renderOperation(method, path, operation)),
  );
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escapeHtml(info.title)}</title>
<style>${STYLE}</style></head><body>
<h1>${escapeHtml(info.title)} ${escapeHtml(info.version)}</h1>
${info.description === undefined ? '' : `<p>${escapeHtml(info.description)}</p>`}
<p>The same for machines: <a href="docs/openapi.json">OpenAPI 3.1</a>.</p>
${operations.join('\n')}
</body></html>
`;
}

function renderOperation(method: string, path: string, operation: OpenApiOperation): string {
  const scopes = (operation.security ?? []).flatMap((entry) => entry['apiKey'] ?? []);
  const parameters = (operation.parameters ?? []).map(
    ({ name, in: place, required, description, schema }) =>
      `<tr><td><code>${escapeHtml(name)}</code></td><td>${escapeHtml(place)}${required ? ', required' : ''}</td><td>${escapeHtml(description ?? describeType(schema))}</td></tr>`,
  );
  return [
    `<h2><b>${escapeHtml(method.toUpperCase())}</b> ${escapeHtml(path)}</h2>`,
    ...[operation.summary, operation.description].flatMap((text) => (text === undefined ? [] : `<p>${escapeHtml(text)}</p>`)),
    scopes.length > 0 ? `<p>API key with the scope ${escapeHtml(scopes.join(' or '))}.</p>` : '<p>No API key.</p>',
    parameters.length > 0 ? `<table>${parameters.join('')}</table>` : '',
    ...renderContent('Request body', operation.requestBody?.content),
    ...Object.entries(operation.responses ?? {}).flatMap(([status, response]) =>
      renderContent(`Answer ${status}${response.description === undefined ? '' : `: ${response.description}`}`, response.content),
    ),
  ].join('\n');
}

function renderContent(title: string, content: Record<string, { schema?: unknown }> = {}): string[] {
  return Object.entries(content).map(
    ([type, { schema }]) =>
      `<details><summary>${escapeHtml(title)} (${escapeHtml(type)})</summary><pre>${escapeHtml(JSON.stringify(schema, null, 2) ?? '')}</pre></details>`,
  );
}

function describeType(schema: unknown): string {
  const type = (schema as { type?: unknown } | undefined)?.type;
  return typeof type === 'string' ? type : '';
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
