/**
 * Asks at most once in a while, and once for all who ask meanwhile: `/readyz` needs no credential.
 */
export function createTroubleFinder(
  find: () => Promise<readonly string[]>,
  { everyMs = 1_000, elapsedMs = () => performance.now() } = {},
): () => Promise<readonly string[]> {
  let latest: { readonly found: Promise<readonly string[]>; readonly untilMs: number } | undefined;
  return () => {
    if (!latest || elapsedMs() >= latest.untilMs) {
      latest = { found: find(), untilMs: elapsedMs() + everyMs };
    }
    return latest.found;
  };
}

/** The status and text of `/readyz`. A gateway serves what does not need a missing service. */
export function describeReadiness(
  isReady: boolean,
  troubles: readonly string[],
): { readonly status: number; readonly text: string } {
  const degraded = troubles.length > 0 ? ', degraded' : '';
  const said = isReady ? `ready${degraded}` : 'not ready';
  return { status: isReady ? 200 : 503, text: `${[said, ...troubles].join('; ')}\n` };
}
