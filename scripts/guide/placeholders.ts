/** All times of the guide are from this one on. */
const shownNowMs = Date.parse('2026-11-22T12:00:00.000Z');
const dayMs = 86_400_000;
/** Times less apart than this are shown as the same: a run takes less. */
const stepMs = 300_000;
/** Some times are of just before the start, since they have whole seconds. */
const beforeMs = 30_000;
/** Dates that are longer ago are those of the commands. */
const ownDatesMs = 200 * dayMs;

/** Members of answers whose values are random, and what stands for them. */
const secrets: Readonly<Record<string, string>> = {
  accessToken: '<access token>',
  refreshToken: '<refresh token>',
  deviceToken: '<device token>',
  signUpToken: '<sign-up token>',
  secret: '<secret>',
  prefix: 'dwk_<prefix>',
  nextPageToken: '<page token>',
  sha256: '<sha-256>',
};

/** The daemon writes UTC both ways. */
const withZoneOf = (text: string, time: string): string =>
  text.endsWith('+00:00') ? time.replace('Z', '+00:00') : time;

export type Placeholders = { readonly apply: (text: string) => string };

/**
 * Replaces what differs from run to run (ids, times, tokens, the port) by what does not. Ids are
 * numbered in the order in which they occur; times keep their distance from `nowMs`. `url`: of the
 * gateway.
 */
export function createPlaceholders(nowMs: number, url?: string): Placeholders {
  const ids = new Map<string, string>();
  const idOf = (id: string): string => {
    const known = ids.get(id);
    if (known !== undefined) return known;
    const made = `00000000-0000-4000-8000-${String(ids.size + 1).padStart(12, '0')}`;
    ids.set(id, made);
    return made;
  };
  const todayMs = Math.floor(nowMs / dayMs) * dayMs;
  const shownTodayMs = Math.floor(shownNowMs / dayMs) * dayMs;
  const dayOf = (atMs: number): number => {
    const distanceMs = atMs - todayMs;
    return distanceMs < -ownDatesMs ? atMs : shownTodayMs + distanceMs;
  };
  const timeOf = (text: string): string => {
    const atMs = Date.parse(text);
    if (atMs % dayMs === 0) {
      const day = new Date(dayOf(atMs)).toISOString();
      return text.length === 10 ? day.slice(0, 10) : withZoneOf(text, day);
    }
    const offsetMs = Math.floor((atMs - nowMs + beforeMs) / stepMs) * stepMs;
    return withZoneOf(text, new Date(shownNowMs + offsetMs).toISOString());
  };
  const toSlashes = (atMs: number): string =>
    new Date(atMs).toISOString().slice(0, 10).split('-').reverse().join('/');
  const names = Object.keys(secrets).join('|');
  return {
    apply: (text) =>
      (url === undefined ? text : text.replaceAll(url, 'http://127.0.0.1:3000'))
        .replace(
          new RegExp(`"(${names})":( ?)"[^"]+"`, 'g'),
          (_all, name: string, space: string) => `"${name}":${space}"${secrets[name] ?? ''}"`,
        )
        .replace(/dws_[\w-]+/g, 'dws_<secret>')
        .replace(/Max-Age=\d{5,}/g, 'Max-Age=2592000')
        .replace(/(?<=pageToken=)[^>&"]+/g, '<page token>')
        .replace(/^id: .+$/gm, 'id: <cursor>')
        .replace(/"[0-9a-f]{64}"/g, '"<sha-256>"')
        .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, idOf)
        .replace(/\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d))?/g, timeOf)
        .replaceAll(toSlashes(todayMs), toSlashes(shownTodayMs)),
  };
}
