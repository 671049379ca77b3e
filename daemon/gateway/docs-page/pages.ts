import { createHash } from 'node:crypto';

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

import { chooseEncoding } from '../http/accept.ts';
import { isUnchanged } from '../http/conditional.ts';
import { connectionOf } from '../http/listener.ts';
import { createCompressed } from './compress.ts';
import { readDocsFile, type DocsFile } from './files.ts';
import { renderMarkdown } from './markdown.ts';
import { describeReadiness } from './readiness.ts';

type PagesOptions = {
  readonly pages: readonly Page[];
  /** False while calls would be refused: during the start and the drain. */
  readonly isReady: () => boolean;
  /** What is missing: a text for each. */
  readonly findTroubles: () => Promise<readonly string[]>;
};

/** No other host, no inline code, no frames. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "form-action 'none'",
].join('; ');

type Page = {
  readonly path: string;
  readonly type: string;
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string>>;
};

/** Bytes of a page that cost as much as a request. */
const bytesPerRequest = 16 * 1024;

/** The paths of the pages and of the health, for `GET`. */
export const listPagePaths = (pages: readonly Page[]) =>
  [...pages.map(({ path }) => path), '/healthz', '/readyz'].map((path) => ({
    method: 'GET' as const,
    path,
  }));

/**
 * Serves the pages, and the health of the process. `isReady`: false while calls would be refused,
 * during the start and the drain.
 */
export function mountPages(
  server: FastifyInstance,
  { pages, isReady, findTroubles }: PagesOptions,
): void {
  for (const page of pages) {
    const hash = hashOf(page.body);
    const compressed = createCompressed(page.body);
    server.get(page.path, async (request: FastifyRequest, reply: FastifyReply) => {
      const encoding = chooseEncoding(request.headers['accept-encoding']);
      // Each encoding has a tag of its own (RFC 9110, 8.8.3.3).
      const etag = encoding === undefined ? `"${hash}"` : `"${hash}-${encoding}"`;
      const headers = { ...page.headers, etag, vary: 'accept-encoding', 'content-type': page.type };
      void reply.headers(headers);
      if (isUnchanged(request.headers['if-none-match'], etag)) return reply.code(304).send();
      const body = encoding === undefined ? page.body : await compressed(encoding);
      connectionOf(request.raw)?.charge(body.length / bytesPerRequest);
      if (encoding === undefined) return reply.send(body);
      return reply.header('content-encoding', encoding).send(body);
    });
  }
  const plain = 'text/plain; charset=utf-8';
  server.get('/healthz', (_request, reply) => reply.header('content-type', plain).send('ok\n'));
  server.get('/readyz', async (_request, reply) => {
    const { status, text } = describeReadiness(isReady(), await findTroubles());
    return reply.code(status).header('content-type', plain).send(text);
  });
}

const hashOf = (body: Buffer): string =>
  createHash('sha256').update(body).digest('hex').slice(0, 32);

/** The OpenAPI document and the pages about it. Throws where one of their files is missing. */
export function listPages(document: object): readonly Page[] {
  const css = toAsset('swagger-ui.css', 'text/css; charset=utf-8');
  const bundle = toAsset('swagger-ui-bundle.js', 'text/javascript; charset=utf-8');
  const initializer = toAsset('initializer.js', 'text/javascript; charset=utf-8');
  const docsCss = toAsset('docs.css', 'text/css; charset=utf-8');
  const errorsCss = toAsset('errors.css', 'text/css; charset=utf-8');
  let index = readDocsFile('index.html').toString();
  for (const { name, path } of [css, docsCss, bundle, initializer]) {
    index = index.replace(`{{${name}}}`, path);
  }
  return [
    ...[css, docsCss, bundle, initializer, errorsCss],
    toHtml('/docs', index),
    toHtml('/docs/errors', renderErrors(errorsCss.path)),
    {
      path: '/openapi.json',
      type: 'application/json; charset=utf-8',
      body: Buffer.from(JSON.stringify(document)),
      headers: { 'cache-control': 'no-cache' },
    },
  ];
}

/** The name changes with the content, so that no copy is ever out of date. */
function toAsset(name: DocsFile, type: string): Page & { readonly name: string } {
  const body = readDocsFile(name);
  const path = `/docs/assets/${name.replace('.', `-${hashOf(body).slice(0, 12)}.`)}`;
  const headers = { 'cache-control': 'public, max-age=31536000, immutable' };
  return { name, path, type, body, headers };
}

const toHtml = (path: string, html: string): Page => ({
  path,
  type: 'text/html; charset=utf-8',
  body: Buffer.from(html),
  headers: {
    'cache-control': 'no-cache',
    'content-security-policy': contentSecurityPolicy,
  },
});

const renderErrors = (stylesheet: string): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Errors of Digital Wallet</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="${stylesheet}">
</head>
<body>
<main>
${renderMarkdown(readDocsFile('errors.md').toString())}
</main>
</body>
</html>
`;
