export type ParsedBrokerUrls =
  | { readonly ok: true; readonly urls: readonly string[] }
  /** What is wrong, without any secret. */
  | { readonly ok: false; readonly problem: string };

const maxUrls = 8;

/**
 * Reads `RABBITMQ_URL`: one URL, or several with commas between them, for the nodes of a cluster.
 */
export function parseBrokerUrls(text: string): ParsedBrokerUrls {
  const urls = text.split(/\s*,\s*(?=amqps?:)/).map((url) => url.trim());
  const isUrl = (url: string): boolean =>
    /^amqps?:\/\/[^\s]*[^\s,]$/.test(url) && URL.canParse(url) && new URL(url).hostname !== '';
  if (!urls.every(isUrl)) {
    const problem =
      urls.length > 1
        ? 'must have a URL like amqp://user:password@host/vhost in each place of its list'
        : 'must be a URL like amqp://user:password@host/vhost, or several with commas';
    return { ok: false, problem };
  }
  if (!urls.every(canDecode)) {
    const problem = 'has a "%" that begins no escaped character; write %25 for "%"';
    return { ok: false, problem };
  }
  if (urls.length > maxUrls) {
    return { ok: false, problem: `names ${urls.length} nodes; at most ${maxUrls} are tried` };
  }
  if (new Set(urls.map((url) => new URL(url).pathname)).size > 1) {
    return { ok: false, problem: 'must name the same vhost in each of its URLs' };
  }
  return { ok: true, urls };
}

/** The driver takes a broken escape for what it is not: another user, password or vhost. */
function canDecode(url: string): boolean {
  const { username, password, pathname } = new URL(url);
  try {
    return [username, password, pathname].every((part) => !decodeURIComponent(part).includes('\0'));
  } catch {
    return false;
  }
}

/** Host and port, for messages. */
export const hostOf = (url: string): string => new URL(url).host;
