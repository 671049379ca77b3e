/** No access token lives longer. */
export const accessTokenLifeMs = 15 * 60_000;

/** Steps of a clock up to here end no session, token or API key. */
export const clockStepMs = 15 * 60_000;

/**
 * True for an end further away than its longest life and a small step of the clock: it was written
 * while the clock was ahead, and counts as expired.
 */
export const isEndInvalid = (endMs: number, nowMs: number, longestLifeMs: number): boolean =>
  endMs > nowMs + longestLifeMs + clockStepMs;
