import { answer, type Answer } from './route.ts';

const defaultLimit = 50;

type PageQuery = { readonly limit?: number | undefined; readonly pageToken?: string | undefined };

type Scalar = string | number | boolean;
/** Parameters of a query; a list is repeated. */
type Query = Readonly<Record<string, Scalar | readonly Scalar[] | undefined>>;

/** The page of a list as a service takes it. */
export const readPage = ({ limit = defaultLimit, pageToken = '' }: PageQuery) => ({
  pageSize: limit,
  pageToken,
});

/** `{ items, nextPageToken? }`, and the next page as a `Link` (RFC 8288). */
export function toPage(
  path: string,
  query: PageQuery & Query,
  items: readonly object[],
  nextPageToken: string,
): Answer {
  if (nextPageToken === '') return answer(200, { items });
  const headers = formatNextLink(path, query, nextPageToken);
  return { ok: true, status: 200, body: { items, nextPageToken }, headers };
}

/** The header `Link` to the next page of the same query; none after the last page. */
export function formatNextLink(
  path: string,
  query: Query,
  nextPageToken: string,
): { readonly link?: string } {
  if (nextPageToken === '') return {};
  const next = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined || name === 'pageToken') continue;
    for (const each of [value].flat()) next.append(name, String(each));
  }
  next.set('pageToken', nextPageToken);
  return { link: `<${path}?${next.toString()}>; rel="next"` };
}
