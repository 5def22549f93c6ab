import { createHash } from 'node:crypto';
import { describeType, listFields, type JsonSchema } from './describe-schema.ts';

/** The parts of an OpenAPI document that the page shows. */
export interface OpenApiDocument {
  info: { title: string; version: string; description?: string };
  paths?: Record<string, Record<string, OpenApiOperation>>;
}

interface OpenApiOperation {
  summary?: string;
  description?: string;
  tags?: string[];
  security?: Record<string, string[]>[];
  parameters?: { name: string; in: string; required?: boolean; description?: string; schema?: JsonSchema }[];
  requestBody?: { content?: OpenApiContent };
  responses?: Record<string, { description?: string; content?: OpenApiContent }>;
}

type OpenApiContent = Record<string, { schema?: JsonSchema }>;

const STYLE = `
body { font: 16px/1.5 system-ui, sans-serif; max-width: 66rem; margin: 2rem auto; padding: 0 1rem; color: #1d2733; }
h2 { margin: 2.5rem 0 0; text-transform: capitalize; }
h3 { font: 600 1.05rem ui-monospace, monospace; margin: 1.5rem 0 0.25rem; border-top: 1px solid #d5dce4; padding-top: 1rem; }
h3 b { display: inline-block; min-width: 4.5rem; color: #075e54; }
summary { cursor: pointer; margin-top: 0.25rem; }
td { padding: 0.1rem 1rem 0.1rem 0; vertical-align: top; }
td + td { min-width: 8rem; }
p { margin: 0.25rem 0; }
nav a { margin-right: 0.75rem; }
a { color: #075e54; }
@media (prefers-color-scheme: dark) { body { background: #10161d; color: #d9e2ec; } h3 b, a { color: #5fd0b5; } }
`;

/** Nothing but this page's own style may load: no script, no other origin, no frame around it. */
export function contentSecurityPolicy(): string {
  const style = createHash('sha256').update(STYLE).digest('base64');
  return `default-src 'none'; style-src 'sha256-${style}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'`;
}

/** The operations of an OpenAPI document, under the headings of their tags, as one HTML page that a browser shows without scripts. */
export function renderDocsPage({ info, paths = {} }: OpenApiDocument): string {
  const groups = new Map<string, string[]>();
  for (const [path, methods] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const tag = operation.tags?.[0] ?? 'other';
      groups.set(tag, [...(groups.get(tag) ?? []), renderOperation(method, path, operation)]);
    }
  }
  const tags = [...groups.keys()].map(escapeHtml);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escapeHtml(info.title)}</title>
<style>${STYLE}</style></head><body>
<h1>${escapeHtml(info.title)} ${escapeHtml(info.version)}</h1>
${info.description === undefined ? '' : `<p>${escapeHtml(info.description)}</p>`}
<p>The same for machines: <a href="docs/openapi.json">OpenAPI 3.1</a>.</p>
<nav>${tags.map((tag) => `<a href="#${tag}">${tag}</a>`).join('')}</nav>
${[...groups.values()].map((operations, index) => `<h2 id="${tags[index]}">${tags[index]}</h2>\n${operations.join('\n')}`).join('\n')}
</body></html>
`;
}

function renderOperation(method: string, path: string, operation: OpenApiOperation): string {
  const scopes = (operation.security ?? []).flatMap((entry) => entry['apiKey'] ?? []);
  const parameters = (operation.parameters ?? []).map(({ name, in: place, required, description, schema }) =>
    renderRow(name, `${describeType(schema)}${required ? ', required' : ''}${place === 'query' ? '' : `, in the ${place}`}`, description),
  );
  return [
    `<h3><b>${escapeHtml(method.toUpperCase())}</b> ${escapeHtml(path)}</h3>`,
    ...[operation.summary, operation.description].flatMap((text) => (text === undefined ? [] : `<p>${escapeHtml(text)}</p>`)),
    scopes.length > 0 ? `<p>API key with the scope ${escapeHtml(scopes.join(' or '))}.</p>` : '<p>No API key.</p>',
    parameters.length > 0 ? `<table>${parameters.join('')}</table>` : '',
    ...renderContent('Request body', operation.requestBody?.content),
    ...Object.entries(operation.responses ?? {}).flatMap(([status, response]) =>
      renderContent(
        `${status === 'default' ? 'Any other answer' : `Answer ${status}`}${response.description === undefined ? '' : `: ${response.description}`}`,
        response.content,
      ),
    ),
  ].join('\n');
}

/** What it holds, field by field. */
function renderContent(title: string, content: OpenApiContent = {}): string[] {
  return Object.entries(content).map(([mediaType, { schema }]) => {
    const rows = listFields(schema).map(({ path, type, description }) => renderRow(path, type, description));
    const fields = rows.length > 0 ? `<table>${rows.join('')}</table>` : `<p>${escapeHtml(describeType(schema))}</p>`;
    return `<details><summary>${escapeHtml(title)} (${escapeHtml(mediaType)})</summary>${fields}</details>`;
  });
}

function renderRow(name: string, type: string, description = ''): string {
  return `<tr><td><code>${escapeHtml(name)}</code></td><td>${escapeHtml(type)}</td><td>${escapeHtml(description)}</td></tr>`;
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
