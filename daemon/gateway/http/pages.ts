import { answer, type Answer } from './route.ts';

const defaultLimit = 50;

type PageQuery = { readonly limit?: number | undefined; readonly pageToken?: string | undefined };

/** The page of a list as a service takes it. */
export const readPage = ({ limit = defaultLimit, pageToken = '' }: PageQuery) => ({
  pageSize: limit,
  pageToken,
});

/** `{ items, nextPageToken? }`, and the next page as a `Link` (RFC 8288). */
export function toPage(
  path: string,
  query: PageQuery & Readonly<Record<string, unknown>>,
  items: readonly object[],
  nextPageToken: string,
): Answer {
  if (nextPageToken === '') return answer(200, { items });
  const next = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && name !== 'pageToken') next.set(name, String(value));
  }
  next.set('pageToken', nextPageToken);
  const link = `<${path}?${next.toString()}>; rel="next"`;
  return { ...answer(200, { items, nextPageToken }), headers: { link } } as Answer;
}
