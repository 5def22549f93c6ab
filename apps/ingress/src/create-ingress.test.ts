import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createIngressHarness, type IngressHarness } from './fixtures/ingress-harness.ts';

describe('the ingress', () => {
  let ingress: IngressHarness;
  beforeAll(async () => {
    ingress = await createIngressHarness({ settings: { publicBaseUrl: 'https://example.com/tickmark' } });
  });
  afterAll(() => ingress.close());

  const get = async (path: string) => {
    const response = await fetch(ingress.url + path);
    return { status: response.status, json: (await response.json()) as Record<string, unknown> };
  };

  it('tells its health and version to anybody', async () => {
    expect(await get('/health/live')).toMatchObject({ status: 200 });
    expect(await get('/health/ready')).toEqual({ status: 200, json: { ready: true, reasons: [] } });
    expect(await get('/version')).toEqual({ status: 200, json: { version: expect.stringMatching(/^\d+\.\d+\.\d+/) } });
  });

  it('documents each route once, whatever the public URL', async () => {
    const { json } = await get('/docs/openapi.json');
    expect(json).toMatchObject({ openapi: expect.stringMatching(/^3\.1/) });
    const paths = json['paths'] as Record<string, object>;
    expect(Object.keys(paths).toSorted()).toEqual([
      '/v1/messages',
      '/v1/messages/batch',
      '/v1/messages/{id}',
      '/webhooks/twilio/inbound',
      '/webhooks/twilio/status',
    ]);
    for (const path of ['/v1/messages', '/v1/messages/batch']) {
      expect(paths[path]).toMatchObject({ post: { requestBody: expect.any(Object), responses: { 202: expect.any(Object) } } });
    }
    expect(paths['/v1/messages/{id}']).toMatchObject({ delete: { responses: { 200: expect.any(Object), 202: expect.any(Object) } } });
    expect((await fetch(`${ingress.url}/docs`)).status).toBe(200);
  });

  it('answers what it does not know with the error envelope', async () => {
    expect(await get('/nowhere')).toMatchObject({ status: 404, json: { error: { code: 'NOT_FOUND', requestId: expect.any(String) } } });
  });
});
