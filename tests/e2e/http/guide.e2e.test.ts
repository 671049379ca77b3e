import { readFile } from 'node:fs/promises';

import { beforeAll, expect, it } from 'vitest';

import { listRoutes } from '../../../daemon/gateway/index.ts';
import { chapters, intro } from '../../../scripts/http-guide/chapters/index.ts';
import { runGuide } from '../../../scripts/http-guide/run.ts';
import { midnightTimeoutMs, waitPastMidnight } from '../../support/midnight.ts';

const guide = await readFile(new URL('../../../docs/http.md', import.meta.url), 'utf8');

beforeAll(waitPastMidnight, midnightTimeoutMs);

it(
  'the commands of docs/http.md have the answers that it prints',
  { timeout: 240_000 },
  async () => {
    const made = await runGuide(intro, chapters);
    expect(made, 'run `npm run docs:http` and commit docs/http.md').toBe(guide);
  },
);

/** `METHOD /path` of each curl of a text, without the query. */
function listRequests(text: string): { readonly method: string; readonly path: string }[] {
  const commands = [...text.matchAll(/```sh\n(.*?)```/gs)].flatMap(([, block = '']) =>
    block.split(/^(?=curl )/m).filter((command) => command.startsWith('curl ')),
  );
  return commands.map((command) => {
    const path = /"\$WALLET(\/[^"?]*)/.exec(command)?.[1] ?? '';
    const given = /-X (\w+)/.exec(command)?.[1];
    const hasBody = /--(json|data-binary)\b/.test(command);
    return { method: given ?? (hasBody ? 'POST' : 'GET'), path };
  });
}

it('docs/http.md calls every route of the gateway, and the pages beside them', () => {
  const routes = listRoutes('BRL').map(({ method, path }) => ({ method, path }));
  const pages = ['/healthz', '/readyz', '/openapi.json', '/docs', '/docs/errors'];
  const all = [...routes, ...pages.map((path) => ({ method: 'GET', path }))];
  const called = listRequests(guide).map(({ method, path }) => {
    const matching = all.filter(
      (route) =>
        route.method === method &&
        new RegExp(`^${route.path.replace(/:\w+/g, '[^/]+')}$`).test(path),
    );
    // Of several the one with the fewest parameters, as in the router.
    const [best] = matching.sort((a, b) => a.path.split(':').length - b.path.split(':').length);
    return best && `${best.method} ${best.path}`;
  });
  const missing = all
    .map(({ method, path }) => `${method} ${path}`)
    .filter((route) => !called.includes(route));
  expect(missing).toEqual([]);
});
