import { request, type IncomingHttpHeaders } from 'node:http';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { send, startGateway, type GatewayWorld } from '../../../tests/support/http/gateway.ts';

let world: GatewayWorld;

beforeAll(async () => {
  world = await startGateway();
});
afterAll(() => world.stop());

const decoders = [
  ['br', brotliDecompressSync],
  ['gzip', gunzipSync],
] as const;

/** The bytes as they are on the wire, which fetch does not show. */
function getBytes(path: string, acceptEncoding: string, etag = '') {
  const headers = { 'accept-encoding': acceptEncoding, 'if-none-match': etag };
  return new Promise<{ status: number; headers: IncomingHttpHeaders; bytes: Buffer }>(
    (resolve, reject) => {
      // A connection each: one may not fetch so many large pages at once.
      const options = { headers, agent: false };
      const sent = request(`${world.url}${path}`, options, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const { statusCode: status = 0 } = response;
          resolve({ status, headers: response.headers, bytes: Buffer.concat(chunks) });
        });
      });
      sent.on('error', reject).end();
    },
  );
}

const get = (path: string, headers: Record<string, string> = {}) =>
  send(world.url, 'GET', path, { headers });

describe('the pages of the gateway', () => {
  it('/docs loads its own files only, without inline code', async () => {
    const page = await get('/docs');
    expect(page.status).toBe(200);
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    const policy = page.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self';");
    expect(policy).not.toContain('unsafe');
    expect(page.text).not.toMatch(/https?:|<script>|<style|\{\{/);
    const assets = [...page.text.matchAll(/(?:src|href)="(\/docs\/assets\/[^"]+)"/g)];
    expect(assets).toHaveLength(4);
    for (const [, path = ''] of assets) {
      expect(path).toMatch(/-[0-9a-f]{12}\.(css|js)$/);
      const asset = await get(path);
      expect(asset.status).toBe(200);
      expect(asset.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
      expect(asset.headers.get('content-type')).toMatch(/^text\/(css|javascript); charset=utf-8$/);
      expect(asset.headers.get('x-content-type-options')).toBe('nosniff');
    }
  });

  it('/docs/errors has the place to which the type of a problem leads', async () => {
    const { body } = await get('/v1/wallets');
    const [path = '', anchor] = String(body['type']).split('#');
    const page = await get(path);
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(page.text).toContain(`<tr id="${anchor}">`);
    const stylesheet = /href="(\/docs\/assets\/errors-\w+\.css)"/.exec(page.text)?.[1] ?? '';
    expect((await get(stylesheet)).status).toBe(200);
  });

  it('pages are sent compressed to a client that accepts it, and as they are to others', async () => {
    const { text: html } = await get('/docs');
    const bundle = /src="([^"]+swagger-ui-bundle[^"]+)"/.exec(html)?.[1] ?? '';
    for (const path of [bundle, '/docs', '/docs/errors', '/openapi.json']) {
      const plain = await getBytes(path, 'identity');
      expect(plain.headers['content-encoding']).toBeUndefined();
      expect(plain.headers['vary']).toBe('accept-encoding');
      const tags = new Set([plain.headers.etag]);
      for (const [encoding, expand] of decoders) {
        const small = await getBytes(path, `${encoding}, deflate;q=0.5`);
        expect(small.headers['content-encoding']).toBe(encoding);
        expect(small.headers['vary']).toBe('accept-encoding');
        expect(expand(small.bytes).equals(plain.bytes)).toBe(true);
        expect(small.bytes.length).toBeLessThan(plain.bytes.length * 0.6);
        tags.add(small.headers.etag);
        const again = await getBytes(path, encoding, small.headers.etag);
        expect([again.status, again.bytes.length]).toEqual([304, 0]);
      }
      expect(tags.size).toBe(3);
    }
  });

  it('/openapi.json is sent once to a client that keeps it', async () => {
    const first = await get('/openapi.json');
    expect(first.body).toMatchObject({ openapi: '3.1.0', info: { title: 'Digital Wallet' } });
    const etag = first.headers.get('etag') ?? '';
    const again = await get('/openapi.json', { 'if-none-match': `"other", ${etag}` });
    expect([again.status, again.text]).toEqual([304, '']);
    expect((await get('/openapi.json', { 'if-none-match': '"other"' })).status).toBe(200);
  });

  it('/healthz is answered as long as the process answers, /readyz while calls are served', async () => {
    const look = async () => [(await get('/healthz')).status, (await get('/readyz')).status];
    expect(await look()).toEqual([200, 200]);
    world.setReady(false);
    expect(await look()).toEqual([200, 503]);
    world.setReady(true);
    expect(await look()).toEqual([200, 200]);
  });
});
